// What is seen: matrix, bars, fraction and curves. Each panel is built once a batch and then only updated.
//
// A panel gets `app`: { batch: { s, partner, m }, texts, act } and draws a `frame`: { tau, log, row, col, p, q, gradient,
// losses, total, shares, curve }. `row` is the anchor shown, `col` the lit candidate or null. `act` holds what a person can do.

import { el, roving, setAttr, setText, svg } from "../shared/dom.js"
import { colour, fill, fmt, fmtShare, fmtSimilarity, fmtTau, LOG_LOW, place, subscript } from "../shared/format.js"

const PRINTED = 8 // up to this many views both numbers fit into a cell,
const NUMBERED = 12 // up to this many one does
const FORCE_LIMIT = 3 // end of the force axis, in nats per unit of cosine
const TERMS = 5 // terms of a long denominator that are written out

function kindOf(batch, i, k) {
  return k === batch.partner[i] ? "positive" : k === i ? "self" : "negative"
}

// Mouse, touch and focus do the same thing: light the twins of (i, k) everywhere; a click keeps them lit.
function linked(node, act, at) {
  node.onpointerenter = (event) => event.pointerType !== "touch" && act.hover(at())
  node.onpointerleave = () => act.hover(null)
  node.onfocus = () => act.hover(at())
  node.onblur = () => act.hover(null)
  node.onclick = () => act.pin(at())
}

// -- matrix ------------------------------------------------------------------------------------------------------------
export function matrixPanel(app) {
  const { batch, texts, act } = app
  const { m } = batch
  const side = 312 / m
  const left = 30
  const top = 26
  const cells = []
  const rows = batch.s.map((_, i) => {
    const made = batch.s.map((_, k) => matrixCell(app, i, k, left + k * side, top + i * side, side))
    cells.push(...made)
    return svg("g", { role: "row" }, ...made.map((c) => c.group))
  })
  const heads = batch.s.map((_, i) => rowHead(app, i, left, top + (i + 0.5) * side, side))
  const tops = batch.s.map((_, k) =>
    svg("text", { x: left + (k + 0.5) * side, y: top - 8, class: "axis", "text-anchor": "middle" }, m <= 16 || k % 4 === 0 ? `${k + 1}` : ""))
  const frameRow = svg("rect", { x: left - 1.5, width: 315, height: side + 3, class: "anchor-frame" })
  const frameCell = svg("rect", { width: side, height: side, class: "lit-frame" })
  const figure = svg("svg", { viewBox: `0 0 346 ${top + 314}`, role: "grid", "aria-label": texts.matrix_label, class: "matrix" },
    ...tops, ...heads.map((h) => h.group), ...rows, frameRow, frameCell)
  const focusables = cells.map((c) => c.group)
  roving(focusables, { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -m, ArrowDown: m }, (at, move) => stepCell(at, move, m))
  return { node: figure, update: (frame) => updateMatrix({ batch, texts, cells, heads, frameRow, frameCell, left, top, side }, frame) }
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

function matrixCell(app, i, k, x, y, side) {
  const { batch, act } = app
  const kind = kindOf(batch, i, k)
  const size = side - (batch.m > NUMBERED ? 0.4 : 2)
  const rect = svg("rect", { x: x + 0.5, y: y + 0.5, width: size, height: size, rx: batch.m > NUMBERED ? 0 : 3 })
  if (kind === "self") {
    rect.setAttribute("class", "self")
    const dash = batch.m > NUMBERED ? null : svg("text", { x: x + side / 2, y: y + side / 2 + 4, class: "axis", "text-anchor": "middle" }, "–")
    return { group: svg("g", { role: "gridcell", "aria-label": "–" }, rect, dash), kind, i, k }
  }
  const group = svg("g", { role: "gridcell", tabindex: i === 0 && k === 1 ? "0" : "-1", class: `cell ${kind}` }, rect)
  const cell = { group, rect, kind, i, k }
  if (batch.m <= NUMBERED) {
    const both = batch.m <= PRINTED
    cell.s = svg("text", { x: x + side / 2, y: y + side / 2 + (both ? 0 : 4), class: both ? "cell-s" : "cell-s small" }, both ? fmtSimilarity(batch.s[i][k]) : short(batch.s[i][k]))
    group.append(cell.s)
    if (both) group.append((cell.p = svg("text", { x: x + side / 2, y: y + side / 2 + 15, class: "cell-p" })))
  }
  if (kind === "positive") group.append(...positiveMark(cell, x, y, size, batch.m))
  linked(group, act, () => ({ i, k }))
  return cell
}

// Three characters for a narrow cell: .68, 1.0, −.3
function short(s) {
  const digits = Math.abs(s) >= 0.995 ? "1.0" : Math.abs(s).toFixed(s < 0 ? 1 : 2).slice(1)
  return s < 0 ? `−${digits}` : digits
}

// The partner is told by an outline and a plus, so that no colour has to be told apart.
function positiveMark(cell, x, y, size, m) {
  const inset = m > NUMBERED ? 1 : 2.5
  const outline = svg("rect", { x: x + inset, y: y + inset, width: size + 1 - 2 * inset, height: size + 1 - 2 * inset, class: "partner" })
  cell.outline = outline
  if (m > NUMBERED) return [outline]
  cell.plus = svg("text", { x: x + 10, y: y + 14, class: "plus" }, "+")
  return m > PRINTED ? [outline] : [outline, cell.plus]
}

function rowHead(app, i, left, y, side) {
  const label = app.batch.m <= 16 || i % 4 === 0 ? `${i + 1}` : ""
  const text = svg("text", { x: left - 10, y: y + 4, class: "axis", "text-anchor": "end" }, label)
  const hit = svg("rect", { x: 0, y: y - side / 2, width: left, height: side, class: "hit" })
  const group = svg("g", { class: "row-head" }, hit, text)
  group.onclick = () => app.act.choose(i)
  return { group, text }
}

function updateMatrix(view, frame) {
  const { batch, texts, cells, heads, frameRow, frameCell, left, top, side } = view
  for (const cell of cells) {
    if (cell.kind === "self") continue
    const p = frame.shares[cell.i][cell.k]
    const paint = colour(place(p, frame.log))
    setAttr(cell.rect, "fill", paint.fill)
    for (const part of [cell.s, cell.p, cell.plus]) if (part) setAttr(part, "fill", paint.ink)
    if (cell.outline) setAttr(cell.outline, "stroke", paint.ink)
    if (cell.p) setText(cell.p, percent(p))
  }
  heads.forEach((head, i) => setAttr(head.text, "class", i === frame.row ? "axis chosen" : "axis"))
  setAttr(frameRow, "y", top + frame.row * side - 1.5)
  setAttr(frameCell, "visibility", frame.col == null ? "hidden" : "visible")
  if (frame.col == null) return
  setAttr(frameCell, "x", left + frame.col * side)
  setAttr(frameCell, "y", top + frame.row * side)
  const lit = cells[frame.row * batch.m + frame.col].group
  setAttr(lit, "aria-label", fill(texts.cell_label, {
    i: frame.row + 1, k: frame.col + 1, s: fmtSimilarity(batch.s[frame.row][frame.col]), p: fmt(frame.p[frame.col]),
    kind: texts[kindOf(batch, frame.row, frame.col)],
  }))
}

function percent(p) {
  if (p >= 0.9995) return p > 0.99995 ? "≈100%" : `${(100 * p).toFixed(2)}%`
  if (p >= 0.1) return `${(100 * p).toFixed(1)}%`
  return p >= 0.0001 ? `${(100 * p).toFixed(2)}%` : "<0.01%"
}

// -- bars --------------------------------------------------------------------------------------------------------------
export function barsPanel(app) {
  const { batch, texts } = app
  const head = el("div", { class: "bar-row bar-head", "aria-hidden": "true" },
    el("span", {}, "k"), el("span", {}, texts.share), el("span", {}, ""), el("span", { class: "away" }, texts.force), el("span", {}, ""))
  const axis = el("div", { class: "bar-row bar-axis", "aria-hidden": "true" },
    el("span"), el("span", { class: "ticks" }), el("span"), el("span", { class: "ticks force-ticks" },
      el("i", { style: "left:0%" }, `−${FORCE_LIMIT}`), el("i", { style: "left:50%" }, "0"), el("i", { style: "left:100%" }, `${FORCE_LIMIT}`)), el("span"))
  const bars = batch.s.map((_, k) => barRow(app, k))
  roving(bars.map((b) => b.node), { ArrowUp: -1, ArrowDown: 1 }, (at, move) => stepBar(bars, at, move))
  const dense = batch.m > NUMBERED ? " dense" : ""
  const node = el("div", { class: `bars${dense}`, role: "list", "aria-label": texts.bars_label }, head, ...bars.map((b) => b.node), axis)
  return { node, update: (frame) => updateBars({ batch, texts, bars, ticks: axis.children[1] }, frame) }
}

function stepBar(bars, at, move) {
  let next = at + move
  if (bars[next]?.kind === "self") next += move
  return bars[next] ? next : at
}

function barRow(app, k) {
  const name = el("span", { class: "bar-name" })
  const share = el("span", { class: "fill" })
  const value = el("span", { class: "bar-value" })
  const force = el("span", { class: "force" })
  const over = el("span", { class: "over" })
  const number = el("span", { class: "bar-value force-value" })
  const node = el("div", { class: "bar-row bar", role: "listitem", tabindex: "-1" },
    name, el("span", { class: "track" }, share), value, el("span", { class: "track force-track" }, force, over), number)
  const bar = { node, name, share, value, force, over, number, kind: "" }
  linked(node, app.act, () => ({ i: app.act.shownRow(), k }))
  return bar
}

function updateBars({ batch, texts, bars, ticks }, frame) {
  const first = frame.row === 0 ? 1 : 0
  bars.forEach((bar, k) => {
    bar.kind = kindOf(batch, frame.row, k)
    setAttr(bar.node, "class", `bar-row bar ${bar.kind}${k === frame.col ? " lit" : ""}`)
    setText(bar.name, bar.kind === "positive" ? `${k + 1} +` : `${k + 1}`)
    if (bar.kind === "self") return blankBar(bar, texts)
    const p = frame.p[k]
    setAttr(bar.share, "style", `transform:scaleX(${place(p, frame.log).toFixed(5)})`)
    setText(bar.value, bar.kind === "positive" ? fmtShare(p, frame.q) : fmt(p, 3))
    updateForce(bar, -frame.gradient[k])
    setAttr(bar.node, "aria-label", k === frame.col || k === first ? `${k + 1}: p ${fmt(p)}, ${texts.force} ${fmt(-frame.gradient[k])}` : `${k + 1}`)
  })
  if (!bars.some((b) => b.node.getAttribute("tabindex") === "0" && b.kind !== "self")) {
    bars.forEach((b, k) => b.node.setAttribute("tabindex", k === first ? "0" : "-1"))
  }
  updateTicks(ticks, frame.log)
}

function blankBar(bar, texts) {
  setAttr(bar.share, "style", "transform:scaleX(0)")
  setAttr(bar.force, "style", "transform:scaleX(0)")
  setText(bar.value, "")
  setText(bar.number, "")
  setText(bar.over, "")
  setAttr(bar.node, "aria-label", texts.self)
}

// The force on a similarity is minus its gradient: to the right it is drawn closer, to the left pushed away.
function updateForce(bar, force) {
  const length = Math.min(Math.abs(force) / FORCE_LIMIT, 1) / 2
  setAttr(bar.force, "style", `transform:scaleX(${(force < 0 ? -length : length).toFixed(5)})`)
  setText(bar.over, Math.abs(force) > FORCE_LIMIT ? (force > 0 ? "▸" : "◂") : "")
  setAttr(bar.over, "class", force > 0 ? "over right" : "over left")
  setText(bar.number, fmt(force, 3))
}

function updateTicks(ticks, log) {
  const wanted = log ? "log" : "linear"
  if (ticks.dataset.scale === wanted) return
  ticks.dataset.scale = wanted
  const marks = log ? [["10⁻⁶", 0], ["10⁻³", 0.5], ["1", 1]] : [["0", 0], ["0.5", 0.5], ["1", 1]]
  ticks.replaceChildren(...marks.map(([text, at]) => el("i", { style: `left:${100 * at}%` }, text)))
}

// -- fraction ----------------------------------------------------------------------------------------------------------
export function fractionPanel(app) {
  const { batch, texts } = app
  const long = batch.m > PRINTED
  const count = long ? TERMS : batch.m - 1
  const numerator = term(app, 0)
  const terms = Array.from({ length: count }, (_, at) => term(app, at))
  const rest = long ? el("span", { class: "term rest" }) : null
  const below = terms.flatMap((part, at) => (at ? [el("span", { class: "sign" }, "+"), part.node] : [part.node]))
  if (rest) below.push(el("span", { class: "sign" }, "+"), rest)
  roving(terms.map((part) => part.node), { ArrowLeft: -1, ArrowRight: 1 }, (at, move) => Math.min(Math.max(at + move, 0), terms.length - 1))
  terms.forEach((part, at) => part.node.setAttribute("tabindex", at ? "-1" : "0"))
  const name = el("span", { class: "loss-name" })
  const share = el("b", { class: "number" })
  const loss = el("b", { class: "number loss-number" })
  const node = el("div", { class: "fraction", role: "group", "aria-label": texts.fraction_label },
    el("span", { class: "lead" }, name, " = −ln"),
    el("span", { class: "frac" }, el("span", { class: "over-line" }, numerator.node), el("span", { class: "under-line" }, ...below)),
    el("span", { class: "lead" }, "= −ln ", share), el("span", { class: "lead" }, "= ", loss, ` ${texts.nats}`))
  return { node, update: (frame) => updateFraction({ batch, texts, numerator, terms, rest, name, share, loss }, frame) }
}

function term(app, at) {
  const exponent = el("sup")
  const value = el("span", { class: "term-value" })
  const node = el("span", { class: "term", tabindex: "-1", role: "button" }, el("span", { class: "term-e" }, "e", exponent), value)
  const part = { node, exponent, value, k: at }
  linked(node, app.act, () => ({ i: app.act.shownRow(), k: part.k }))
  return part
}

// The candidates written out: all in their order, or, of a large batch, the positive and its hardest negatives.
function writtenOut(batch, frame, count) {
  const j = batch.partner[frame.row]
  const others = [...Array(batch.m).keys()].filter((k) => k !== frame.row)
  if (others.length <= count) return others
  const hardest = others.filter((k) => k !== j).sort((a, b) => batch.s[frame.row][b] - batch.s[frame.row][a])
  return [j, ...hardest.slice(0, count - 1)]
}

function updateFraction(view, frame) {
  const { batch, texts, numerator, terms, rest, name, share, loss } = view
  const order = writtenOut(batch, frame, terms.length)
  const j = batch.partner[frame.row]
  writeTerm(view, numerator, j, frame)
  terms.forEach((part, at) => writeTerm(view, part, order[at], frame))
  if (rest) {
    const left = [...Array(batch.m).keys()].filter((k) => k !== frame.row && !order.includes(k))
    const sum = left.reduce((total, k) => total + Math.exp(batch.s[frame.row][k] / frame.tau), 0)
    setText(rest, fill(texts.rest, { count: left.length, sum: fmt(sum) }))
    setAttr(rest, "class", left.includes(frame.col) ? "term rest negative lit" : "term rest negative")
  }
  setText(name, `ℓ${subscript(frame.row + 1)}`)
  setText(share, fmtShare(frame.p[j], frame.q))
  setText(loss, fmt(frame.losses[frame.row]))
}

function writeTerm({ batch, texts }, part, k, frame) {
  part.k = k
  const s = batch.s[frame.row][k]
  const kind = kindOf(batch, frame.row, k)
  setText(part.exponent, `${fmtSimilarity(s)}/${fmtTau(frame.tau)}`)
  setText(part.value, fmt(Math.exp(s / frame.tau)))
  setAttr(part.node, "class", `term ${kind}${k === frame.col ? " lit" : ""}`)
  setAttr(part.node, "aria-label", fill(texts.term_label, { k: k + 1, kind: texts[kind], value: fmt(Math.exp(s / frame.tau)) }))
}
