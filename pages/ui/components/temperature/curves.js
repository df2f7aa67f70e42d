// Loss and pull over temperature, with the lines that give a loss its scale, and dots that move. Dragging sets tau.

import { el, setAttr, setText, svg } from "../shared/dom.js"
import { fill, fmt } from "../shared/format.js"
import { lossCeiling, lossFloor, lossRows, mean, pullRows } from "../shared/ntxent.js"

export const LOW = 0.01
export const HIGH = 10
const SAMPLES = 121
const MARKS = [0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 10]
const PAD = { left: 34, right: 10, top: 10, bottom: 22 }

// All curves of a batch over a logarithmic grid of temperatures; asked for once a batch, not once a frame.
export function sweep(batch) {
  const taus = Array.from({ length: SAMPLES }, (_, at) => LOW * (HIGH / LOW) ** (at / (SAMPLES - 1)))
  const losses = taus.map((tau) => lossRows(batch.s, batch.partner, tau))
  const pulls = taus.map((tau) => pullRows(batch.s, batch.partner, tau))
  return {
    taus,
    losses,
    pulls,
    total: losses.map(mean),
    pull: pulls.map(mean),
    floor: taus.map((tau) => lossFloor(batch.m / 2, tau)),
    ceiling: lossCeiling(batch.m / 2),
  }
}

export function fraction(tau) {
  return Math.log(tau / LOW) / Math.log(HIGH / LOW)
}

export function curvesPanel(app) {
  const loss = lossChart(app)
  const pull = pullChart(app)
  const node = el("div", { class: "curves" }, loss.node, pull.node)
  return {
    node,
    resize: () => [loss, pull].forEach((chart) => chart.layout()),
    update: (frame) => [loss, pull].forEach((chart) => chart.update(frame)),
  }
}

function chart(app, title, height) {
  const figure = svg("svg", { class: "chart", height, role: "img", "aria-label": title })
  const value = el("span", { class: "chart-value" })
  const node = el("div", { class: "chart-box" }, el("div", { class: "chart-title" }, title, value), figure)
  figure.onpointerdown = (event) => {
    figure.setPointerCapture(event.pointerId)
    figure.onpointermove = (move) => app.act.scrub(at(figure, move))
    figure.onpointerup = figure.onpointercancel = () => {
      figure.onpointermove = figure.onpointerup = figure.onpointercancel = null
      app.act.commit()
    }
    app.act.scrub(at(figure, event))
  }
  return { figure, value, node, height, width: 0 }
}

function at(figure, event) {
  const box = figure.getBoundingClientRect()
  const t = (event.clientX - box.left - PAD.left) / (box.width - PAD.left - PAD.right)
  return LOW * (HIGH / LOW) ** Math.min(Math.max(t, 0), 1)
}

// Scales of a chart at its present width; x is the same in both charts, so the dots stand above each other.
function scales(view, top) {
  const width = Math.max(view.figure.clientWidth || 320, 160)
  const x = (tau) => PAD.left + fraction(tau) * (width - PAD.left - PAD.right)
  const y = (v) => PAD.top + (1 - v / top) * (view.height - PAD.top - PAD.bottom)
  return { width, x, y, top }
}

function axes(view, scale, step) {
  const parts = []
  for (let v = 0; v <= scale.top * 1.0001; v += step) {
    parts.push(svg("line", { x1: PAD.left, x2: scale.width - PAD.right, y1: scale.y(v), y2: scale.y(v), class: "grid-line" }))
    parts.push(svg("text", { x: PAD.left - 6, y: scale.y(v) + 4, class: "axis", "text-anchor": "end" }, String(Number(v.toFixed(2)))))
  }
  for (const tau of MARKS) {
    const edge = tau === LOW ? "start" : tau === HIGH ? "end" : "middle"
    const label = String(tau).replace(/^0/, "")
    parts.push(svg("text", { x: scale.x(tau), y: view.height - 6, class: "axis", "text-anchor": edge }, label))
  }
  return parts
}

function niceStep(top) {
  return [0.2, 0.25, 0.5, 1, 2, 5, 10, 20, 50].find((step) => top / step <= 4.5) ?? top / 4
}

function path(taus, values, scale, name) {
  const points = taus.map((tau, k) => `${scale.x(tau).toFixed(1)},${scale.y(values[k]).toFixed(1)}`)
  return svg("polyline", { points: points.join(" "), class: name })
}

// A name beside its line: colour alone never says which line is which.
function tag(scale, tau, value, text, name, dx = 0, dy = -5) {
  return svg("text", { x: scale.x(tau) + dx, y: scale.y(value) + dy, class: `tag ${name}` }, text)
}

function dots(scale, names) {
  const line = svg("line", { y1: PAD.top, y2: scale.y(0), class: "now" })
  return { line, dots: names.map((name) => svg("circle", { r: name.includes("mean") ? 6 : 4.5, class: `dot ${name}` })) }
}

function moveDots(moving, scale, tau, values) {
  const x = scale.x(tau).toFixed(1)
  setAttr(moving.line, "x1", x)
  setAttr(moving.line, "x2", x)
  moving.dots.forEach((dot, at) => {
    setAttr(dot, "cx", x)
    setAttr(dot, "cy", scale.y(Math.min(values[at], scale.top)).toFixed(1)) // a value off the scale waits at the border
  })
}

function lossChart(app) {
  const { texts, batch, curve } = app
  const view = chart(app, texts.loss_title, 170)
  const worst = Math.max(...curve.total)
  // A batch worse than chance may leave the picture at low tau: the scale stops at three ceilings.
  const top = Math.max(curve.ceiling * 1.18, Math.min(worst * 1.05, curve.ceiling * 3), 0.5)
  let scale, moving, anchorLine
  const layout = () => {
    scale = scales(view, top)
    view.figure.setAttribute("viewBox", `0 0 ${scale.width} ${view.height}`)
    moving = dots(scale, ["anchor", "mean"])
    anchorLine = svg("polyline", { class: "line anchor" })
    anchorLine.row = -1
    const ceiling = svg("line", { x1: PAD.left, x2: scale.width - PAD.right, y1: scale.y(curve.ceiling), y2: scale.y(curve.ceiling), class: "line ceiling" })
    view.figure.replaceChildren(
      ...axes(view, scale, niceStep(top)), ceiling, path(curve.taus, curve.floor, scale, "line floor"), anchorLine,
      path(curve.taus, curve.total, scale, "line mean"),
      tag(scale, LOW, curve.ceiling, fill(texts.ceiling, { count: batch.m - 1, value: fmt(curve.ceiling, 3) }), "ceiling"),
      tag(scale, 1.3, lossFloor(batch.m / 2, 1.3), texts.floor, "floor", 6, 14), moving.line, ...moving.dots)
  }
  const update = (frame) => {
    if (!scale) layout()
    if (anchorLine.row !== frame.row) {
      const points = curve.taus.map((tau, k) => `${scale.x(tau).toFixed(1)},${scale.y(curve.losses[k][frame.row]).toFixed(1)}`)
      anchorLine.setAttribute("points", points.join(" "))
      anchorLine.row = frame.row
    }
    moveDots(moving, scale, frame.tau, [frame.losses[frame.row], frame.total])
    setText(view.value, `L = ${fmt(frame.total)}`)
  }
  return { node: view.node, layout, update }
}

function pullChart(app) {
  const { texts, curve } = app
  const view = chart(app, texts.pull_title, 170)
  const top = Math.max(Math.min(Math.max(...curve.pull) * 1.1, 12), 0.25)
  let scale, moving
  const layout = () => {
    scale = scales(view, top)
    view.figure.setAttribute("viewBox", `0 0 ${scale.width} ${view.height}`)
    moving = dots(scale, ["mean pull"])
    view.figure.replaceChildren(...axes(view, scale, niceStep(top)), path(curve.taus, curve.pull, scale, "line pull"), moving.line, ...moving.dots)
  }
  const update = (frame) => {
    if (!scale) layout()
    moveDots(moving, scale, frame.tau, [frame.pull])
    setText(view.value, fmt(frame.pull))
  }
  return { node: view.node, layout, update }
}
