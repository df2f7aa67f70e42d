// The loss of one anchor as a fraction, and the same in six steps: s, s/τ, e^(s/τ), their sum, the share, its −ln.

import { el, roving, setAttr, setText } from "../shared/dom.js"
import { clamp, fill, fmt, fmtShare, fmtSimilarity, fmtTau, subscript } from "../shared/format.js"
import { kindOf, linked, PRINTED } from "./matrix.js"
import { writtenOut } from "./model.js"

const TERMS = 5 // terms of a long denominator that are written out

export function fractionPanel(app) {
  const lines = [fractionLine(app), fractionLine(app)]
  const node = el("div", {}, ...lines.map((line) => line.node))
  const update = (frame) => {
    lines[1].node.hidden = !frame.second
    lines[0].update(frame, frame)
    if (frame.second) lines[1].update(frame, frame.second)
  }
  return { node, update }
}

// One fraction, written with the numbers of one temperature.
function fractionLine(app) {
  const { batch: { m }, texts } = app
  const long = m > PRINTED
  const numerator = term(app)
  const terms = Array.from({ length: long ? TERMS : m - 1 }, () => term(app))
  const rest = long ? el("span", { class: "term rest" }) : null
  const below = terms.flatMap((part, at) => (at ? [el("span", { class: "sign" }, "+"), part.node] : [part.node]))
  if (rest) below.push(el("span", { class: "sign" }, "+"), rest)
  roving(terms.map((part) => part.node), { ArrowLeft: -1, ArrowRight: 1 }, (at, move) => clamp(at + move, 0, terms.length - 1))
  terms[0].node.setAttribute("tabindex", "0")
  const [name, share, loss] = ["loss-name", "number", "number loss-number"].map((names) => el("b", { class: names }))
  const node = el("div", { class: "fraction", role: "group", "aria-label": texts.fraction_label },
    el("span", { class: "lead" }, name, " = −ln"),
    el("span", { class: "frac" }, el("span", { class: "over-line" }, numerator.node), el("span", { class: "under-line" }, ...below)),
    el("span", { class: "lead" }, "= −ln ", share), el("span", { class: "lead" }, "= ", loss, ` ${texts.nats}`))
  const update = (frame, numbers) => updateLine({ texts, numerator, terms, rest, name, share, loss }, frame, numbers)
  return { node, update }
}

function term(app) {
  const exponent = el("sup")
  const value = el("span", { class: "term-value" })
  const node = el("span", { class: "term", tabindex: "-1", role: "button" }, el("span", { class: "term-e" }, "e", exponent), value)
  const part = { node, exponent, value, k: 0 }
  linked(node, app.act, () => ({ i: app.act.shownRow(), k: part.k }))
  return part
}

function updateLine({ texts, numerator, terms, rest, name, share, loss }, frame, numbers) {
  const { row, s, partner } = frame
  const j = partner[row]
  const order = writtenOut(s[row], row, j, terms.length)
  writeTerm(texts, numerator, j, frame, numbers)
  terms.forEach((part, at) => writeTerm(texts, part, order[at], frame, numbers))
  if (rest) {
    const left = [...s.keys()].filter((k) => k !== row && !order.includes(k))
    setText(rest, fill(texts.rest, { count: left.length, sum: fmt(left.reduce((sum, k) => sum + Math.exp(s[row][k] / numbers.tau), 0)) }))
    setAttr(rest, "class", left.includes(frame.col) ? "term rest negative lit" : "term rest negative")
  }
  setText(name, `ℓ${subscript(row + 1)}`)
  setText(share, fmtShare(numbers.p[j], numbers.q))
  setText(loss, fmt(numbers.losses[row]))
}

function writeTerm(texts, part, k, { row, s, partner, col }, { tau }) {
  part.k = k
  const kind = kindOf(partner, row, k)
  const value = fmt(Math.exp(s[row][k] / tau))
  setText(part.exponent, `${fmtSimilarity(s[row][k])}/${fmtTau(tau)}`)
  setText(part.value, value)
  setAttr(part.node, "class", `term ${kind}${k === col ? " lit" : ""}`)
  setAttr(part.node, "aria-label", fill(texts.term_label, { k: k + 1, kind: texts[kind], value }))
}

// The fraction computed step by step. Beat b shows the first b rows and says what the last of them did.
export function beatsPanel(app) {
  const { batch: { m }, texts } = app
  const count = Math.min(m - 1, m > PRINTED ? TERMS : m)
  const heads = Array.from({ length: count }, () => el("th", { scope: "col" }))
  const rows = ["s", "s/τ", "e^(s/τ)", "Σ", "p", "−ln p₊"].map((name, at) => {
    const whole = at === 3 || at === 5
    const cells = Array.from({ length: whole ? 1 : count }, () => el("td", whole ? { colspan: count } : {}))
    return { node: el("tr", {}, el("th", { scope: "row" }, el("span", { class: "beat-number" }, `${at + 1}`), name), ...cells), cells, whole }
  })
  const order = { now: [] }
  for (const row of rows) if (!row.whole) row.cells.forEach((cell, at) => linked(cell, app.act, () => ({ i: app.act.shownRow(), k: order.now[at] })))
  const said = el("p", { class: "beat-said" })
  const table = el("table", { class: "beats" }, el("thead", {}, el("tr", {}, el("td"), ...heads)), el("tbody", {}, ...rows.map((row) => row.node)))
  const node = el("div", { class: "table-scroll" }, said, table)
  return { node, update: (frame) => updateBeats({ texts, heads, rows, order, said, count }, frame) }
}

function updateBeats({ texts, heads, rows, order, said, count }, frame) {
  const { row, s, tau, p, partner, beat } = frame
  const j = partner[row]
  order.now = writtenOut(s[row], row, j, count)
  const sum = s[row].reduce((total, x, k) => (k === row ? total : total + Math.exp(x / tau)), 0)
  const values = [
    (k) => fmtSimilarity(s[row][k]), (k) => fmt(s[row][k] / tau), (k) => fmt(Math.exp(s[row][k] / tau)), () => fmt(sum),
    (k) => fmt(p[k]), () => fmt(frame.losses[row]),
  ]
  order.now.forEach((k, at) => setText(heads[at], k === j ? `${k + 1} +` : `${k + 1}`))
  rows.forEach((line, at) => {
    setAttr(line.node, "class", at + 1 === beat ? "now" : at + 1 > beat ? "later" : "")
    line.cells.forEach((cell, place) => {
      setText(cell, values[at](order.now[place]))
      setAttr(cell, "class", line.whole ? "whole" : `${kindOf(partner, row, order.now[place])}${order.now[place] === frame.col ? " lit" : ""}`)
    })
  })
  setText(said, fill(texts[`beat_${beat}`], { tau: fmtTau(tau), count: s.length - 1 }))
}
