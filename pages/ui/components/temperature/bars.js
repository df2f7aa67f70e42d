// One anchor's candidates: the share of each and the force on its similarity, at one temperature or at two.

import { el, roving, setAttr, setText } from "../shared/dom.js"
import { fmt, fmtShare, place } from "../shared/format.js"
import { kindOf, linked, NUMBERED } from "./matrix.js"

const FORCE_LIMIT = 3 // end of the force axis, in nats per unit of cosine

export function barsPanel(app) {
  const { batch: { m }, texts } = app
  const shares = el("span")
  const named = [el("span", {}, "k"), shares, el("span"), el("span", { class: "away" }, texts.force)]
  const head = el("div", { class: "bar-row bar-head", "aria-hidden": "true" }, ...named)
  const ticks = el("span", { class: "ticks" })
  const ends = [`−${FORCE_LIMIT}`, "0", `${FORCE_LIMIT}`].map((text, at) => el("i", { style: `left:${50 * at}%` }, text))
  const scaled = [el("span"), ticks, el("span"), el("span", { class: "ticks" }, ...ends)]
  const axis = el("div", { class: "bar-row bar-axis", "aria-hidden": "true" }, ...scaled)
  const bars = Array.from({ length: m }, (_, k) => barRow(app, k))
  roving(bars.map((b) => b.node), { ArrowUp: -1, ArrowDown: 1 }, (at, move) => stepBar(bars, at, move))
  const node = el("div", { class: "bars", role: "list", "aria-label": texts.bars_label }, head, ...bars.map((b) => b.node), axis)
  return { node, update: (frame) => updateBars({ node, texts, bars, ticks, shares, dense: m > NUMBERED ? " dense" : "" }, frame) }
}

function stepBar(bars, at, move) {
  let next = at + move
  if (bars[next]?.kind === "self") next += move
  return bars[next] ? next : at
}

// A row holds two sets; the second is seen only while two temperatures are compared.
function barRow(app, k) {
  const name = el("span", { class: "bar-name" })
  const sets = ["first", "second"].map((set) => ({
    share: el("span", { class: "fill" }), value: el("span", { class: `bar-value ${set}` }), force: el("span", { class: "force" }),
    tip: el("span", { class: "tip" }), number: el("span", { class: `bar-value ${set}` }), set,
  }))
  const stack = (...parts) => el("span", { class: "stack" }, ...parts)
  const node = el("div", { class: "bar-row bar", role: "listitem", tabindex: "-1" }, name,
    stack(...sets.map((s) => el("span", { class: `track ${s.set}` }, s.share))), stack(...sets.map((s) => s.value)),
    stack(...sets.map((s) => el("span", { class: `track force-track ${s.set}` }, s.force, s.tip))), stack(...sets.map((s) => s.number)))
  linked(node, app.act, () => ({ i: app.act.shownRow(), k }))
  return { node, name, sets, kind: "" }
}

function updateBars({ node, texts, bars, ticks, shares, dense }, frame) {
  setAttr(node, "class", `bars${dense}${frame.second ? " compared" : ""}`)
  setText(shares, frame.second ? texts.share_two : texts.share)
  const first = frame.row === 0 ? 1 : 0
  const j = frame.partner[frame.row]
  bars.forEach((bar, k) => {
    bar.kind = kindOf(frame.partner, frame.row, k)
    setAttr(bar.node, "class", `bar-row bar ${bar.kind}${k === frame.col ? " lit" : ""}`)
    setText(bar.name, bar.kind === "positive" ? `${k + 1} +` : `${k + 1}`)
    const digits = frame.second ? 2 : 3
    updateSet(bar.sets[0], bar.kind, frame, k, frame.log, digits)
    if (frame.second) updateSet(bar.sets[1], bar.kind, frame.second, k, frame.log, digits)
    if (bar.kind === "self") return setAttr(bar.node, "aria-label", texts.self)
    const said = k === frame.col || k === j ? `: p ${fmt(frame.p[k])}, ${texts.force} ${fmt(-frame.gradient[k])}` : ""
    setAttr(bar.node, "aria-label", `${k + 1}, ${texts[bar.kind]}${said}`)
  })
  if (!bars.some((b) => b.node.getAttribute("tabindex") === "0" && b.kind !== "self")) {
    bars.forEach((b, k) => b.node.setAttribute("tabindex", k === first ? "0" : "-1"))
  }
  updateTicks(ticks, frame.log)
}

// The force on a similarity is minus its gradient: an arrow to the right draws it closer, to the left pushes it away.
function updateSet(set, kind, numbers, k, log, digits) {
  const self = kind === "self"
  const p = self ? 0 : numbers.p[k]
  const force = self ? 0 : -numbers.gradient[k]
  const length = Math.min(Math.abs(force) / FORCE_LIMIT, 1) / 2
  setAttr(set.share, "style", `transform:scaleX(${place(p, log).toFixed(5)})`)
  setAttr(set.force, "style", `transform:scaleX(${(force < 0 ? -length : length).toFixed(5)})`)
  setAttr(set.tip, "style", `left:${(50 + 100 * (force < 0 ? -length : length)).toFixed(2)}%`)
  setText(set.tip, Math.abs(force) < 5e-4 ? "" : force > 0 ? "▶" : "◀")
  setAttr(set.tip, "class", force > 0 ? "tip closer" : "tip")
  setText(set.value, self ? "" : kind === "positive" ? fmtShare(p, numbers.q) : fmt(p, digits))
  setText(set.number, self ? "" : fmt(force, digits))
}

function updateTicks(ticks, log) {
  const wanted = log ? "log" : "linear"
  if (ticks.dataset.scale === wanted) return
  ticks.dataset.scale = wanted
  const marks = log ? ["10⁻⁶", "10⁻³", "1"] : ["0", "0.5", "1"]
  ticks.replaceChildren(...marks.map((text, at) => el("i", { style: `left:${50 * at}%` }, text)))
}
