// Loss and pull over temperature, and training: its loss over steps, its vectors. Dragging in a chart sets tau or the step.

import { el, setAttr, setText, svg } from "../shared/dom.js"
import { fill, fmt, fmtSimilarity } from "../shared/format.js"
import { anchorLoss, lossCeiling, lossFloor } from "../shared/ntxent.js"
import { clamp, fraction, RATE, STEPS, sweep, tauAt } from "./model.js"

const TAU_MARKS = [0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 10].map((tau) => [fraction(tau), String(tau).replace(/^0/, "")])
const STEP_MARKS = [0, 10, 50, 100, 200, STEPS].map((step) => [Math.sqrt(step / STEPS), String(step)])
const HEIGHT = 170
const FIELD = 150 // side of the picture of the vectors

// A chart with x from 0 to 1 and y from 0 to a top. paint(top, lines, tags, dots) draws what stays, move(dots) what moves;
// a line is { name, points }, a tag { name, at: [x, y], text, dy }, a dot { name, at }.
function plot(title, marks, pick, done) {
  const figure = svg("svg", { class: "chart", role: "img", "aria-label": title })
  const value = el("span", { class: "chart-value" })
  const node = el("div", { class: "chart-box" }, el("div", { class: "chart-title" }, title, value), figure)
  let area = null
  let moving = []
  figure.onpointerdown = (event) => {
    const send = ({ clientX }) => pick(clamp((clientX - figure.getBoundingClientRect().left - area.left) / area.wide, 0, 1))
    figure.setPointerCapture(event.pointerId)
    figure.onpointermove = send
    figure.onpointerup = figure.onpointercancel = () => {
      figure.onpointermove = figure.onpointerup = figure.onpointercancel = null
      done()
    }
    send(event)
  }
  const paint = (top, lines, tags, dots) => {
    area = layOut(figure, top)
    moving = dots.map((name) => svg(name.startsWith("now") ? "line" : "circle", { class: name, r: 5.5, y1: area.y(0), y2: area.y(top) }))
    const at = ([x, y]) => `${area.x(x).toFixed(1)},${area.y(y).toFixed(1)}`
    const drawn = lines.map(({ name, points }) => svg("polyline", { class: `line ${name}`, points: points.map(at).join(" ") }))
    const named = tags.map(({ name, at: [x, y], text, dy }) => svg("text", { class: `tag ${name}`, x: area.x(x) + 2, y: area.y(y) + dy * area.em }, text))
    figure.replaceChildren(...axes(area, marks), ...drawn, ...named, ...moving)
  }
  // A value off the scale waits at the border.
  const move = (places) => moving.forEach((dot, nth) => {
    const [x, y] = places[nth]
    if (y === undefined) ["x1", "x2"].forEach((name) => setAttr(dot, name, area.x(x).toFixed(1)))
    else [["cx", area.x(x)], ["cy", area.y(Math.min(y, area.top))]].forEach(([name, at]) => setAttr(dot, name, at.toFixed(1)))
  })
  return { node, figure, value, paint, move }
}

function layOut(figure, top) {
  const em = (parseFloat(getComputedStyle(figure).fontSize) || 14) / 14
  const left = 36 * em
  const height = HEIGHT * em
  const width = Math.max(figure.clientWidth || 320, 160)
  const wide = width - left - 12
  figure.setAttribute("viewBox", `0 0 ${width} ${height}`)
  const y = (v) => 10 + (1 - v / top) * (height - 10 - 22 * em)
  return { em, left, top, wide, height, x: (t) => left + t * wide, y }
}

function axes(area, marks) {
  const parts = []
  const step = [0.2, 0.25, 0.5, 1, 2, 5, 10, 20, 50].find((size) => area.top / size <= 4.5) ?? area.top / 4
  for (let v = 0; v <= area.top * 1.0001; v += step) {
    parts.push(svg("line", { x1: area.left, x2: area.left + area.wide, y1: area.y(v), y2: area.y(v), class: "grid-line" }))
    parts.push(svg("text", { x: area.left - 6, y: area.y(v) + 4, class: "axis", "text-anchor": "end" }, String(Number(v.toFixed(2)))))
  }
  for (const [t, text] of marks) {
    parts.push(svg("text", { x: area.x(t), y: area.height - 6, class: "axis", "text-anchor": t === 0 ? "start" : t === 1 ? "end" : "middle" }, text))
  }
  return parts
}

// A chart is painted again when what stays in it has changed; `key` names that.
function repainted(paint) {
  let before = []
  return (...key) => {
    if (key.every((part, at) => part === before[at])) return
    before = key
    paint(...key)
  }
}

export function curvesPanel(app) {
  const { texts, act, batch: { m } } = app
  const pick = (t) => act.scrub(tauAt(t))
  const loss = plot(texts.loss_title, TAU_MARKS, pick, act.commit)
  const pull = plot(texts.pull_title, TAU_MARKS, pick, act.commit)
  const node = el("div", { class: "curves" }, loss.node, pull.node)
  let [curve, drawn, top] = [null, null, 0]
  const paint = repainted((s, row, two, _width) => {
    if (drawn !== s) [drawn, curve] = [s, sweep(s, app.batch.partner)]
    const along = (values) => curve.taus.map((tau, nth) => [fraction(tau), values[nth]])
    const dots = (name) => ["now", ...(two ? ["now second"] : []), `dot ${name}`, ...(two ? [`dot second ${name}`] : [])]
    // A batch worse than chance may leave the picture at low tau: the scale stops at three ceilings, and never shrinks.
    top = Math.max(top, curve.ceiling * 1.18, Math.min(Math.max(...curve.total) * 1.05, curve.ceiling * 3), 0.5)
    loss.paint(top, [
      { name: "ceiling", points: [[0, curve.ceiling], [1, curve.ceiling]] }, { name: "floor", points: along(curve.floor) },
      { name: "anchor", points: curve.taus.map((tau) => [fraction(tau), Math.min(anchorLoss(s[row], row, app.batch.partner[row], tau)[0], top)]) },
      { name: "mean", points: along(curve.total.map((v) => Math.min(v, top))) },
    ], [
      { name: "ceiling", at: [0, curve.ceiling], text: fill(texts.ceiling, { count: m - 1, value: fmt(curve.ceiling, 3) }), dy: -5 },
      { name: "floor", at: [fraction(1.4), lossFloor(m / 2, 1.4)], text: texts.floor, dy: 15 },
    ], dots("mean"))
    const strongest = Math.max(Math.min(Math.max(...curve.pull) * 1.1, 12), 0.25)
    pull.paint(strongest, [{ name: "pull", points: along(curve.pull.map((v) => Math.min(v, strongest))) }], [], dots("pull"))
  })
  const update = (frame) => {
    const { second } = frame
    paint(frame.s, frame.row, Boolean(second), app.width)
    const places = (name) => [frame, second].filter(Boolean).map((one) => [fraction(one.tau), one[name]])
    const both = (name) => places(name).map(([, v]) => fmt(v)).join("  |  ")
    loss.move([...places("none"), ...places("total")])
    pull.move([...places("none"), ...places("pull")])
    setText(loss.value, `L = ${both("total")}`)
    setText(pull.value, both("pull"))
  }
  return { node, update }
}

// -- training ------------------------------------------------------------------------------------------------------------
export function trainPanel(app) {
  const { texts, act, batch: { m, partner } } = app
  const loss = plot(texts.train_title, STEP_MARKS, (t) => act.seek(Math.round(t * t * STEPS)), act.commit)
  const lines = partner.map((j, i) => (i < j ? svg("line", { class: "pair" }) : null)).filter(Boolean)
  const points = partner.map((_, i) => svg("circle", { r: m > 8 ? 3.5 : 6, class: i % 2 ? "view second" : "view" }))
  const names = partner.map((_, i) => svg("text", { class: "axis" }, m > 8 ? "" : `${i + 1}`))
  const rim = svg("circle", { class: "rim", cx: FIELD / 2, cy: FIELD / 2, r: 0.44 * FIELD })
  const field = svg("svg", { class: "field", viewBox: `0 0 ${FIELD} ${FIELD}`, role: "img", "aria-label": texts.field }, rim, ...lines, ...points, ...names)
  const meters = el("p", { class: "hint" })
  const rule = el("p", { class: "hint" }, fill(texts.train_rule, { rate: RATE }))
  const node = el("div", { class: "training" }, el("figure", {}, field, el("figcaption", { class: "hint" }, texts.field)), el("div", {}, loss.node, meters, rule))
  let top = 0
  const paint = repainted((trail, reached, _width) => {
    const ceiling = lossCeiling(m / 2)
    const floor = lossFloor(m / 2, trail.tau)
    const path = Array.from({ length: reached + 1 }, (_, k) => [Math.sqrt(k / STEPS), trail.at(k).loss])
    top = Math.min(Math.max(...path.map(([, v]) => v)) * 1.15, ceiling * 3)
    loss.paint(top, [
      ...(ceiling < top ? [{ name: "ceiling", points: [[0, ceiling], [1, ceiling]] }] : []), { name: "floor", points: [[0, floor], [1, floor]] },
      { name: "mean", points: path.map(([x, v]) => [x, Math.min(v, top)]) },
    ], [{ name: "floor", at: [0.02, floor], text: texts.floor, dy: floor > top / 2 ? 14 : -5 }], ["now", "dot mean"])
  })
  const update = (frame) => {
    const { trail, at } = frame.training
    const state = trail.at(at)
    paint(trail, Math.max(trail.reached(), at), app.width)
    loss.move([[Math.sqrt(at / STEPS)], [Math.sqrt(at / STEPS), state.loss]])
    setText(loss.value, `L = ${fmt(state.loss)}`)
    setText(meters, fill(texts.meters, {
      step: at, loss: fmt(state.loss), floor: fmt(lossFloor(m / 2, trail.tau)), positive: fmtSimilarity(state.positive),
      negative: state.negative === null ? "–" : fmtSimilarity(state.negative), dims: trail.dims,
    }))
    const where = state.points.map((xy) => xy.map((v, axis) => ((axis ? -v : v) * 0.44 + 0.5) * FIELD))
    points.forEach((dot, i) => ["cx", "cy"].forEach((name, axis) => setAttr(dot, name, where[i][axis].toFixed(2))))
    names.forEach((text, i) => ["x", "y"].forEach((name, axis) => setAttr(text, name, (where[i][axis] + (axis ? -7 : i % 2 ? -12 : 7)).toFixed(2))))
    lines.forEach((line, n) => ["x1", "y1", "x2", "y2"].forEach((name, c) => setAttr(line, name, where[2 * n + (c >> 1)][c % 2].toFixed(2))))
  }
  return { node, update }
}
