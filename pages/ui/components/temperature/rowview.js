// The matrix where it has no room: one anchor at a time, its candidates as cells that a finger can hit, dragged as in the grid.

import { button, el, line, roving, setAttr, setText } from "../shared/dom.js"
import { colour, fill, fmt, fmtSimilarity, place } from "../shared/format.js"
import { draggable, kindOf, linked, nudged, percent } from "./matrix.js"

export function rowPanel(app) {
  const { batch: { m }, texts, act } = app
  const name = el("b", { class: "row-name" })
  const turn = (way, sign, text) => button("plain step", () => act.choose((app.state.row + way + m) % m), sign, { "aria-label": text, title: text })
  const cells = Array.from({ length: m }, (_, k) => rowCell(app, k))
  roving(cells.map((cell) => cell.node), { ArrowLeft: -1, ArrowRight: 1 }, (at, move) => stepPast(cells, at, move), (at, event) => nudged(app, cells[at].at(), event))
  const whole = button("plain", () => setAttr(whole, "aria-pressed", String(node.parentNode.classList.toggle("whole"))), texts.whole, { "aria-pressed": "false" })
  const grid = el("div", { class: "row-cells", role: "group", "aria-label": texts.row_label }, ...cells.map((cell) => cell.node))
  const node = el("div", { class: "one-row" }, line(turn(-1, "◂", texts.row_back), name, turn(1, "▸", texts.row_onward), whole), grid)
  return { node, update: (frame) => updateRow({ texts, name, cells }, frame) }
}

// The anchor itself is no candidate and is stepped over.
function stepPast(cells, at, move) {
  const next = cells[at + move]?.node.disabled ? at + 2 * move : at + move
  return cells[next] ? next : at
}

function rowCell(app, k) {
  const [s, p, heading] = [el("b"), el("span"), el("span")]
  const node = button("row-cell", null, "", { tabindex: "-1" })
  node.replaceChildren(heading, s, p)
  const at = () => ({ i: app.act.shownRow(), k })
  linked(node, app.act, at)
  draggable(node, app, at)
  return { node, heading, s, p, at }
}

function updateRow({ texts, name, cells }, frame) {
  const { row, s, p, partner, col } = frame
  setText(name, fill(texts.anchor, { i: row + 1, j: partner[row] + 1 }))
  cells.forEach((cell, k) => {
    const kind = kindOf(partner, row, k)
    cell.node.disabled = kind === "self"
    setAttr(cell.node, "class", `row-cell ${kind}${k === col ? " lit" : ""}`)
    setText(cell.heading, kind === "positive" ? `${k + 1} +` : `${k + 1}`)
    setText(cell.s, kind === "self" ? "–" : fmtSimilarity(s[row][k]))
    setText(cell.p, kind === "self" ? "" : percent(p[k]))
    const paint = colour(place(p[k], frame.log))
    setAttr(cell.node, "style", kind === "self" ? "" : `background:${paint.fill};color:${paint.ink}`)
    const said = { i: row + 1, k: k + 1, s: fmtSimilarity(s[row][k] ?? 1), p: fmt(p[k]), kind: texts[kind] }
    setAttr(cell.node, "aria-label", kind === "self" ? texts.self : fill(texts.cell_label, said))
  })
  if (!cells.some(({ node }) => node.tabIndex === 0 && !node.disabled)) {
    cells.forEach(({ node }, k) => node.setAttribute("tabindex", k === (row === 0 ? 1 : 0) ? "0" : "-1"))
  }
}
