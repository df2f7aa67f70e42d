// The similarity matrix: look at a cell, choose it, drag it. Every panel is built once a batch and then only updated.
//
// A panel gets `app`: { batch, texts, act } and draws a `frame`: the numbers of model.measure, with { row, col, log, s, second,
// marks }. `row` is the anchor shown, `col` the lit candidate or null. `act` holds what a person can do.

import { el, line, roving, setAttr, setText, svg } from "../shared/dom.js"
import { clamp, colour, fill, fmt, fmtSimilarity, place } from "../shared/format.js"

export const PRINTED = 8 // up to this many views both numbers fit into a cell,
export const NUMBERED = 12 // up to this many one does
const REACH = 160 // pixels that change a cosine by 1
const GRASP = 4 // pixels before a press becomes a drag
const LEFT = 30
const TOP = 26
const NUDGES = { "+": 0.01, "=": 0.01, "-": -0.01, "−": -0.01, PageUp: 0.1, PageDown: -0.1 }

export function kindOf(partner, i, k) {
  return k === partner[i] ? "positive" : k === i ? "self" : "negative"
}

// Mouse, touch and focus do the same thing: light the twins of (i, k) everywhere; a click keeps them lit.
export function linked(node, act, at) {
  node.onpointerenter = (event) => event.pointerType !== "touch" && act.hover(at())
  node.onpointerleave = () => act.hover(null)
  node.onfocus = () => act.hover(at())
  node.onblur = () => act.hover(null)
  node.onclick = () => act.pin(at())
}

export function matrixPanel(app) {
  const { batch: { m }, texts, act } = app
  const side = 312 / m
  const places = [...Array(m).keys()]
  const rows = places.map((i) => places.map((k) => matrixCell(app, i, k, side)))
  const cells = rows.flat()
  const heads = places.map((i) => rowHead(app, i, side))
  const tops = places.map((k) => svg("text", { x: LEFT + (k + 0.5) * side, y: TOP - 8, class: "axis", "text-anchor": "middle" }, numbered(k, m)))
  const frameRow = svg("rect", { x: LEFT - 1.5, width: 315, height: side + 3, class: "anchor-frame" })
  const frameCell = svg("rect", { width: side, height: side, class: "lit-frame" })
  const node = svg("svg", { viewBox: `0 0 346 ${TOP + 314}`, role: "grid", "aria-label": texts.matrix_label, class: "matrix" },
    ...tops, ...heads.map((h) => h.group), ...rows.map((made) => svg("g", { role: "row" }, ...made.map((c) => c.group))), frameRow, frameCell)
  const arrows = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -m, ArrowDown: m }
  roving(cells.map((c) => c.group), arrows, (at, move) => stepCell(at, move, m), (at, event) => nudged(app, cells[at], event))
  return { node, update: (frame) => updateMatrix({ texts, cells, heads, frameRow, frameCell, m, side }, frame) }
}

// + and − change the cell at hand; says whether the key was one of them.
export function nudged(app, { i, k }, event) {
  if (!NUDGES[event.key] || event.ctrlKey || event.metaKey) return false
  app.act.setCell(i, k, app.valueOf(i, k) + NUDGES[event.key])
  app.act.commit()
  return true
}

// The next cell in that direction; the diagonal is stepped over, the border stops.
function stepCell(at, move, m) {
  let next = at
  for (let tries = 0; tries < 2; tries++) {
    const beyond = next + move
    const sameRow = Math.floor(beyond / m) === Math.floor(next / m)
    if (beyond < 0 || beyond >= m * m || (Math.abs(move) === 1 && !sameRow)) return at
    next = beyond
    if (Math.floor(next / m) !== next % m) return next
  }
  return at
}

function matrixCell(app, i, k, side) {
  const { m, partner } = app.batch
  const kind = kindOf(partner, i, k)
  const x = LEFT + k * side
  const y = TOP + i * side
  const size = side - (m > NUMBERED ? 0.4 : 2)
  const rect = svg("rect", { x: x + 0.5, y: y + 0.5, width: size, height: size, rx: m > NUMBERED ? 0 : 3 })
  const text = (name, down, size) => svg("text", { x: x + side / 2, y: y + (0.5 + down) * side, class: name, "font-size": size * side })
  if (kind === "self") {
    rect.setAttribute("class", "self")
    return { group: svg("g", { role: "gridcell", "aria-label": app.texts.self }, rect), kind, i, k }
  }
  const group = svg("g", { role: "gridcell", tabindex: i === 0 && k === 1 ? "0" : "-1", class: `cell ${kind}` }, rect)
  const both = m <= PRINTED
  const cell = { group, rect, kind, i, k, s: m <= NUMBERED ? text("cell-s", both ? 0 : 0.1, both ? 0.27 : 0.35) : null, p: both ? text("cell-p", 0.3, 0.2) : null }
  if (kind === "positive") cell.outline = svg("rect", outlineOf(x, y, size, m > NUMBERED ? 1 : 2.5))
  if (kind === "positive" && both) cell.plus = svg("text", { x: x + 0.17 * side, y: y + 0.25 * side, class: "plus", "font-size": 0.25 * side }, "+")
  group.append(...[cell.s, cell.p, cell.outline, cell.plus].filter(Boolean))
  linked(group, app.act, () => ({ i, k }))
  draggable(group, app, () => ({ i, k }))
  return cell
}

// The partner is told by an outline and a plus, so that no colour has to be told apart.
function outlineOf(x, y, size, inset) {
  return { x: x + inset, y: y + inset, width: size + 1 - 2 * inset, height: size + 1 - 2 * inset, class: "partner" }
}

// Up or right makes a cosine larger. A finger drags sideways, so that the page still scrolls under it.
export function draggable(group, app, at) {
  const pin = group.onclick
  group.onpointerdown = (down) => {
    if (down.button) return
    const { i, k } = at()
    const from = app.valueOf(i, k)
    let dragged = false
    group.setPointerCapture(down.pointerId)
    group.onpointermove = (move) => {
      const way = move.clientX - down.clientX + (down.pointerType === "touch" ? 0 : down.clientY - move.clientY)
      dragged ||= Math.abs(way) > GRASP
      if (dragged) app.act.setCell(i, k, from + way / REACH)
    }
    group.onpointerup = group.onpointercancel = () => {
      group.onpointermove = group.onpointerup = group.onpointercancel = null
      if (dragged) app.act.commit()
    }
    group.onclick = () => dragged || pin() // the click that ends a drag chooses nothing
  }
}

function numbered(i, m) {
  return m <= 16 || i % 4 === 0 ? `${i + 1}` : ""
}

function rowHead(app, i, side) {
  const y = TOP + (i + 0.5) * side
  const text = svg("text", { x: LEFT - 10, y: y + 4, class: "axis", "text-anchor": "end" }, numbered(i, app.batch.m))
  const group = svg("g", { class: "row-head" }, svg("rect", { x: 0, y: y - side / 2, width: LEFT, height: side, class: "hit" }), text)
  group.onclick = () => app.act.choose(i)
  return { group, text }
}

function updateMatrix(view, frame) {
  const { texts, cells, heads, frameRow, frameCell, m, side } = view
  for (const cell of cells) if (cell.kind !== "self") updateCell(cell, frame, m)
  heads.forEach((head, i) => setAttr(head.text, "class", i === frame.row ? "axis chosen" : "axis"))
  setAttr(frameRow, "y", TOP + frame.row * side - 1.5)
  setAttr(frameCell, "visibility", frame.col == null ? "hidden" : "visible")
  if (frame.col == null) return
  setAttr(frameCell, "x", LEFT + frame.col * side)
  setAttr(frameCell, "y", TOP + frame.row * side)
  setAttr(cells[frame.row * m + frame.col].group, "aria-label", fill(texts.cell_label, {
    i: frame.row + 1, k: frame.col + 1, s: fmtSimilarity(frame.s[frame.row][frame.col]), p: fmt(frame.p[frame.col]),
    kind: texts[kindOf(frame.partner, frame.row, frame.col)],
  }))
}

function updateCell(cell, frame, m) {
  const { i, k } = cell
  const p = frame.shares[i][k]
  const paint = colour(place(p, frame.log))
  setAttr(cell.rect, "fill", paint.fill)
  setAttr(cell.rect, "class", frame.marks.get(i * m + k) ?? "")
  if (cell.outline) setAttr(cell.outline, "stroke", paint.ink)
  if (cell.plus) setAttr(cell.plus, "fill", paint.ink)
  if (!cell.s) return
  setAttr(cell.s, "fill", paint.ink)
  setText(cell.s, cell.p ? fmtSimilarity(frame.s[i][k]) : short(frame.s[i][k]))
  if (!cell.p) return
  setAttr(cell.p, "fill", paint.ink)
  setText(cell.p, percent(p))
}

// Three characters for a narrow cell: .68, 1.0, −.3
function short(s) {
  const digits = Math.abs(s) >= 0.995 ? "1.0" : Math.abs(s).toFixed(s < 0 ? 1 : 2).slice(1)
  return s < 0 ? `−${digits}` : digits
}

export function percent(p) {
  if (p >= 0.9995) return p > 0.99995 ? "≈100%" : `${(100 * p).toFixed(2)}%`
  if (p >= 0.1) return `${(100 * p).toFixed(1)}%`
  return p >= 0.0001 ? `${(100 * p).toFixed(2)}%` : "<0.01%"
}

// -- below the matrix: the chosen cell as a slider, and whether vectors with these cosines exist ---------------------------
export function cellPanel(app) {
  const { texts, act } = app
  const name = el("span", { class: "lead" })
  const value = el("output", { class: "number" })
  let at = null
  const range = el("input", {
    type: "range", min: -1, max: 1, step: 0.01, class: "small-range", "aria-label": texts.cell_value,
    oninput: () => act.setCell(at.i, at.k, clamp(Number(range.value), -1, 1)), onchange: () => act.commit(),
  })
  const badge = el("span", { class: "badge", role: "status" })
  const mend = el("button", { type: "button", class: "plain", onclick: () => act.mend() }, texts.nearest)
  const undo = el("button", { type: "button", class: "plain", onclick: () => act.undo() }, texts.undo)
  const moved = el("span", { class: "hint" })
  const node = el("div", { class: "under-matrix" }, line(name, range, value, undo), line(badge, mend, moved))
  const update = (frame) => {
    at = frame.col == null ? null : { i: frame.row, k: frame.col }
    setText(name, at ? `s(${at.i + 1}, ${at.k + 1})` : texts.drag_hint)
    for (const part of [range, value]) part.hidden = !at
    if (at) range.value = frame.s[at.i][at.k]
    if (at) setText(value, fmtSimilarity(frame.s[at.i][at.k]))
    undo.hidden = !frame.batch.dragged.length
    updateGeometry({ texts, badge, mend, moved }, frame.batch)
  }
  return { node, update }
}

function updateGeometry({ texts, badge, mend, moved }, batch) {
  setText(badge, fill(batch.possible ? texts.possible : texts.impossible, { value: fmt(Math.abs(batch.least) < 1e-8 ? 0 : batch.least, 3) }))
  setAttr(badge, "class", batch.possible ? "badge" : "badge wrong")
  mend.hidden = batch.possible
  setAttr(mend, "aria-pressed", String(batch.mended))
  const some = batch.moved.slice(0, 4).map(([i, k, a, b]) => `(${i + 1},${k + 1}) ${fmtSimilarity(a)}→${fmtSimilarity(b)}`).join(", ")
  setText(moved, batch.mended ? fill(texts.moved, { count: batch.moved.length, some }) : "")
}
