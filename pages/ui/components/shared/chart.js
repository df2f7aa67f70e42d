// A small line chart in SVG that is as wide as its place: axes, lines, names and dots; dragging in it picks a place along x.

import { el, setAttr, svg } from "./dom.js"
import { clamp } from "./format.js"

const HEIGHT = 170

// x from 0 to 1, y over `scale` = [low, high]. paint(scale, lines, tags, dots) draws what stays, move(places) what moves. A line is
// { name, points }, a tag { name, at: [x, y], text, dy }, a dot the name of its class, a place [x, y], or [x] of a dot "now".
export function plot(title, marks, pick, done) {
  const figure = svg("svg", { class: "chart", role: "img", "aria-label": title })
  const value = el("span", { class: "chart-value" })
  const node = el("div", { class: "chart-box" }, el("div", { class: "chart-title" }, title, value), figure)
  let [size, area, painted, places, moving] = [null, null, null, [], []]
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
  const paint = (...what) => {
    const [scale, lines, tags, dots] = (painted = what)
    area = layOut(figure, (size ??= measured(figure)), scale)
    moving = dots.map((name) => svg(name.startsWith("now") ? "line" : "circle", { class: name, r: 5.5, y1: area.y(area.low), y2: area.y(area.high) }))
    const drawn = lines.map(({ name, points }) => svg("polyline", { class: `line ${name}`, points: points.map(area.at).join(" ") }))
    const named = tags.map(({ name, at: [x, y], text, dy }) => svg("text", { class: `tag ${name}`, x: area.x(x) + 2, y: area.y(y) + dy * area.em }, text))
    figure.replaceChildren(...axes(area, marks), ...drawn, ...named, ...moving)
  }
  const move = (next) => {
    places = next
    moving.forEach((dot, nth) => {
      const [x, y] = places[nth]
      if (y === undefined) ["x1", "x2"].forEach((name) => setAttr(dot, name, area.x(x).toFixed(1)))
      else ["cx", "cy"].forEach((name, axis) => setAttr(dot, name, area.at([x, y])[axis]))
    })
  }
  new ResizeObserver(() => {
    size = measured(figure)
    if (painted) paint(...painted)
    if (painted) move(places)
  }).observe(node)
  return { node, value, paint, move }
}

function measured(figure) {
  return { em: (parseFloat(getComputedStyle(figure).fontSize) || 14) / 14, width: Math.max(figure.clientWidth || 320, 160) }
}

// A value off the scale waits at the border.
function layOut(figure, { em, width }, [low, high]) {
  const left = 36 * em
  const height = HEIGHT * em
  const wide = width - left - 12
  figure.setAttribute("viewBox", `0 0 ${width} ${height}`)
  const x = (t) => left + t * wide
  const y = (v) => 10 + ((high - clamp(v, low, high)) / (high - low)) * (height - 10 - 22 * em)
  return { em, left, low, high, wide, height, x, y, at: ([t, v]) => [x(t).toFixed(1), y(v).toFixed(1)] }
}

function axes(area, marks) {
  const { low, high } = area
  const parts = []
  const step = [0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1, 2, 5, 10, 20, 50].find((size) => (high - low) / size <= 4.5) ?? (high - low) / 4
  for (let v = Math.ceil(low / step - 1e-9) * step; v <= high * 1.0001; v += step) {
    parts.push(svg("line", { x1: area.left, x2: area.left + area.wide, y1: area.y(v), y2: area.y(v), class: "grid-line" }))
    parts.push(svg("text", { x: area.left - 6, y: area.y(v) + 4, class: "axis", "text-anchor": "end" }, String(Number(v.toFixed(2)))))
  }
  for (const [t, text] of marks) {
    parts.push(svg("text", { x: area.x(t), y: area.height - 6, class: "axis", "text-anchor": t === 0 ? "start" : t === 1 ? "end" : "middle" }, text))
  }
  return parts
}

// A chart is painted again when what stays in it has changed; `key` names that.
export function repainted(paint) {
  let before = []
  return (...key) => {
    if (key.every((part, at) => part === before[at])) return
    before = key
    paint(...key)
  }
}
