// Loss and pull over temperature, and training: its loss over steps, its vectors. Dragging in a chart sets tau or the step.

import { plot, repainted } from "../shared/chart.js"
import { el, setAttr, setText, svg } from "../shared/dom.js"
import { fill, fmt, fmtSimilarity } from "../shared/format.js"
import { anchorLoss, lossCeiling, lossFloor } from "../shared/ntxent.js"
import { fraction, RATE, STEPS, sweep, tauAt } from "./model.js"

const TAU_MARKS = [0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 10].map((tau) => [fraction(tau), String(tau).replace(/^0/, "")])
const STEP_MARKS = [0, 10, 50, 100, 200, STEPS].map((step) => [Math.sqrt(step / STEPS), String(step)])
const FIELD = 150 // side of the picture of the vectors

export function curvesPanel(app) {
  const { texts, act, batch: { m } } = app
  const pick = (t) => act.scrub(tauAt(t))
  const loss = plot(texts.loss_title, TAU_MARKS, pick, act.commit)
  const pull = plot(texts.pull_title, TAU_MARKS, pick, act.commit)
  const node = el("div", { class: "curves" }, loss.node, pull.node)
  let [curve, drawn, top] = [null, null, 0]
  const paint = repainted((s, row, two) => {
    if (drawn !== s) [drawn, curve] = [s, sweep(s, app.batch.partner)]
    const along = (values) => curve.taus.map((tau, nth) => [fraction(tau), values[nth]])
    const dots = (name) => ["now", ...(two ? ["now second"] : []), `dot ${name}`, ...(two ? [`dot second ${name}`] : [])]
    // A batch worse than chance may leave the picture at low tau: the scale stops at three ceilings, and never shrinks.
    top = Math.max(top, curve.ceiling * 1.18, Math.min(Math.max(...curve.total) * 1.05, curve.ceiling * 3), 0.5)
    loss.paint([0, top], [
      { name: "ceiling", points: [[0, curve.ceiling], [1, curve.ceiling]] }, { name: "floor", points: along(curve.floor) },
      { name: "anchor", points: curve.taus.map((tau) => [fraction(tau), anchorLoss(s[row], row, app.batch.partner[row], tau)[0]]) },
      { name: "mean", points: along(curve.total) },
    ], [
      { name: "ceiling", at: [0, curve.ceiling], text: fill(texts.ceiling, { count: m - 1, value: fmt(curve.ceiling, 3) }), dy: -5 },
      { name: "floor", at: [fraction(1.4), lossFloor(m / 2, 1.4)], text: texts.floor, dy: 15 },
    ], dots("mean"))
    const strongest = Math.max(Math.min(Math.max(...curve.pull) * 1.1, 12), 0.25)
    pull.paint([0, strongest], [{ name: "pull", points: along(curve.pull) }], [], dots("pull"))
  })
  const update = (frame) => {
    const { second } = frame
    paint(frame.s, frame.row, Boolean(second))
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
  const paint = repainted((trail, reached) => {
    const ceiling = lossCeiling(m / 2)
    const floor = lossFloor(m / 2, trail.tau)
    const path = Array.from({ length: reached + 1 }, (_, k) => [Math.sqrt(k / STEPS), trail.at(k).loss])
    top = Math.min(Math.max(...path.map(([, v]) => v)) * 1.15, ceiling * 3) || 1 // one image has no loss at all
    const said = fill(texts.ceiling, { count: m - 1, value: fmt(ceiling, 3) })
    // A ceiling above the picture is named at its upper border.
    const named = { name: "ceiling", ...(ceiling < top ? { at: [0.3, ceiling], text: said, dy: -5 } : { at: [0.3, top], text: `↑ ${said}`, dy: 12 }) }
    loss.paint([0, top], [
      ...(ceiling < top ? [{ name: "ceiling", points: [[0, ceiling], [1, ceiling]] }] : []), { name: "floor", points: [[0, floor], [1, floor]] },
      { name: "mean", points: path },
    ], [{ name: "floor", at: [0.02, floor], text: texts.floor, dy: floor > top / 2 ? 14 : -5 }, named], ["now", "dot mean"])
  })
  const update = (frame) => {
    const { trail, at } = frame.training
    const state = trail.at(at)
    paint(trail, Math.max(trail.reached(), at))
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
