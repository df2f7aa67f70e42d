// What a hand holds: which batch, which way to play, play and step, the temperatures; and the boxes that ask something.

import { button, el, line, radios, setAttr, setText, table, tables } from "../shared/dom.js"
import { clamp, fill, fmt, fmtSimilarity, fmtTau } from "../shared/format.js"
import { LONGEST, MOST, parseMatrix } from "./matrixtext.js"
import { answer, fraction, HIGH, LOW, MODES, OWN, tauAt } from "./model.js"

const LABELLED = [0.01, 0.05, 0.07, 0.1, 0.2, 0.5, 1, 2, 5, 10]
const STOPS = [0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1, 2, 5, 10]
const SNAP = 0.012 // of the slider's length
const FILE_LIMIT = 2 * LONGEST
const EXAMPLE = "1, .95, .10, .05\n.95, 1, .12, .07\n.10, .12, 1, .90\n.05, .07, .90, 1"

// -- which batch -----------------------------------------------------------------------------------------------------------
export function batchControls(app) {
  const { texts, act, state } = app
  const labels = Object.fromEntries(app.data.presets.map((preset) => [preset.id, preset.label]))
  const ids = [...Object.keys(labels), ...(state.own ? [OWN] : [])]
  const choice = radios(texts.batch, ids, (id) => labels[id] ?? texts.own, act.preset)
  const preset = app.data.presets.find((one) => one.id === state.preset)
  const note = el("p", { class: "note" }, preset ? preset.note : texts.own_note, preset?.adjustable ? sizeControl(app, preset) : null)
  choice.show(state.preset)
  return { node: el("div", {}, el("div", { class: "presets" }, choice.node, ownBox(app)), note), items: choice.items }
}

// How many images stand in the batch: fewer views, fewer negatives, a lower ceiling.
function sizeControl({ texts, act, data, batch }, preset) {
  const count = el("output", {}, String(batch.m / 2))
  const range = el("input", {
    type: "range", min: data.fewest, max: preset.partner.length / 2, step: 1, class: "small-range count", "aria-label": texts.images,
    oninput: () => act.size(Number((count.textContent = range.value))), onchange: () => act.commit(),
  })
  range.value = batch.m / 2
  return el("label", { class: "line-of" }, el("span", {}, texts.images), range, count)
}

function ownBox({ texts, act }) {
  const field = el("textarea", { rows: 7, maxlength: LONGEST, spellcheck: "false", "aria-label": texts.own_field, placeholder: EXAMPLE })
  const orders = ["turns", "stacked"].map((value) => el("option", { value }, texts[`own_${value}`]))
  const order = el("select", { "aria-label": texts.own_order }, ...orders)
  const said = el("p", { role: "alert", class: "problem" })
  const use = (text) => {
    const { s, problem, values } = parseMatrix(text, order.value === "stacked")
    said.textContent = problem ? fill(texts[problem], values) : ""
    if (s) act.own(s)
  }
  const file = el("input", { type: "file", accept: ".csv,.tsv,.txt,text/csv,text/plain", "aria-label": texts.own_file, onchange: async () => {
    const [chosen] = file.files
    if (chosen?.size > FILE_LIMIT) said.textContent = fill(texts.own_long, { most: LONGEST })
    else if (chosen) use((field.value = await chosen.text()))
  } })
  return el("details", { class: "own" }, el("summary", {}, texts.own_title), el("p", { class: "hint" }, fill(texts.own_help, { most: MOST })), field,
    line(order, button("plain", () => use(field.value), texts.own_use), file), said)
}

// -- playing -----------------------------------------------------------------------------------------------------------------
export function transport(app) {
  const { texts, act } = app
  const modes = radios(texts.modes, Object.keys(MODES), (name) => texts[`mode_${name}`], act.mode)
  const play = app.player.button(texts, act.toggle)
  const back = button("plain step", () => act.step(-1), "◂", { "aria-label": texts.back, title: texts.back })
  const onward = button("plain step", () => act.step(1), "▸", { "aria-label": texts.onward, title: texts.onward })
  const seek = el("input", {
    type: "range", step: 1, class: "small-range seek", "aria-label": texts.seek,
    oninput: () => act.seek(Number(seek.value)), onchange: () => act.commit(),
  })
  const where = el("span", { class: "where" })
  const node = el("div", { class: "transport" }, modes.node, line(back, play.node, onward, app.player.speeds(texts, act.commit)), line(seek, where))
  const update = (frame) => {
    const { mode, at } = app.state
    const { last, start } = MODES[mode]
    modes.show(mode)
    play.update()
    play.node.disabled = back.disabled = onward.disabled = mode === "train" && !frame.training
    seek.hidden = where.hidden = last === undefined || play.node.disabled
    if (last === undefined) return
    ;[seek.min, seek.max] = [start, last]
    seek.value = at
    setText(where, `${at} / ${last}`)
  }
  return { node, update }
}

// -- temperatures ------------------------------------------------------------------------------------------------------------
export function dials(app) {
  const { texts, act } = app
  const first = dial(app, "tau", "τ =", texts.tau)
  const second = dial(app, "tau2", "τ₂ =", texts.tau2)
  const compare = button("plain compare", () => act.compare(), texts.compare)
  first.node.append(compare)
  const update = (frame) => {
    first.update(frame, frame)
    second.node.hidden = !frame.second
    if (frame.second) second.update(frame, frame.second)
    setAttr(compare, "aria-pressed", String(Boolean(frame.second)))
  }
  return { node: el("div", {}, first.node, second.node), update }
}

function dial(app, name, sign, label) {
  const { texts, act, state } = app
  const goTo = (tau) => (act.scrub(clamp(tau, LOW, HIGH), name), act.commit())
  const field = el("input", { type: "text", inputmode: "decimal", class: "tau-field", maxlength: 12, "aria-label": `${sign} ${texts.tau_field}` })
  field.onchange = () => {
    const tau = Number(field.value.normalize("NFKC").trim().replace(",", "."))
    if (tau > 0 && Number.isFinite(tau)) goTo(tau)
    field.value = fmtTau(state[name])
  }
  const range = el("input", {
    type: "range", min: 0, max: 1, step: 0.0005, class: "tau", "aria-label": label, onchange: () => act.commit(),
    oninput: () => act.scrub(snapped(tauAt(Number(range.value))), name), onkeydown: (event) => sliderKey(event, state[name], goTo, act.toggle),
  })
  const place = (tau) => ({ tabindex: "-1", "data-tau": tau, style: `left:${(100 * fraction(tau)).toFixed(2)}%` })
  const ticks = LABELLED.map((tau) => button("tick", () => goTo(tau), String(tau).replace(/^0/, ""), place(tau)))
  const node = el("div", { class: `dial for-${name}` }, el("label", { class: "tau-box" }, el("span", { class: "tau-name" }, sign), field),
    el("div", { class: "slider" }, range, el("div", { class: "tick-row", "aria-hidden": "true" }, ...ticks)))
  const update = (frame, { tau, p }) => {
    if (node.getRootNode().activeElement !== field) field.value = fmtTau(tau)
    if (range.value !== String(fraction(tau))) range.value = fraction(tau)
    setAttr(range, "style", `--at:${(100 * fraction(tau)).toFixed(2)}%`)
    setAttr(range, "aria-valuetext", `tau ${fmtTau(tau)}, p+ ${p[frame.partner[frame.row]].toFixed(4)}`)
    ticks.forEach((tick, at) => setAttr(tick, "class", Math.abs(LABELLED[at] / tau - 1) < 1e-6 ? "tick now" : "tick"))
  }
  return { node, update }
}

function snapped(tau) {
  return STOPS.find((stop) => Math.abs(fraction(stop) - fraction(tau)) < SNAP) ?? tau
}

function sliderKey(event, tau, goTo, toggle) {
  const up = ["ArrowRight", "ArrowUp", "PageUp"].includes(event.key)
  const down = ["ArrowLeft", "ArrowDown", "PageDown"].includes(event.key)
  if (event.key === " ") toggle()
  else if (event.key === "Home") goTo(LOW)
  else if (event.key === "End") goTo(HIGH)
  else if (event.shiftKey && (up || down)) goTo(tau * (up ? 1.02 : 1 / 1.02))
  else if (up) goTo(STOPS.find((stop) => stop > tau * 1.0001) ?? HIGH)
  else if (down) goTo(STOPS.findLast((stop) => stop < tau * 0.9999) ?? LOW)
  else return
  event.preventDefault()
}

// -- predict, then reveal ------------------------------------------------------------------------------------------------------
export function quizBox(app) {
  const { texts, act, data: { questions, presets, hide } } = app
  const body = el("section", { class: "quiz", "aria-label": texts.questions })
  const show = (nth) => {
    const asked = questions[nth]
    const said = el("p", { role: "status" })
    const options = asked.kind === "trend" ? ["grows", "shrinks", "stays"].map((name) => texts[name]) : asked.taus.map((tau) => `τ = ${fmtTau(tau)}`)
    const buttons = options.map((text, at) => button("plain", () => reveal(at), text))
    const reveal = (at) => {
      const { similarity, partner } = presets.find((one) => one.id === asked.preset)
      const { values, right } = answer(asked, similarity, partner)
      if (hide.includes("answers")) return void (said.textContent = texts.kept)
      const numbers = asked.taus.map((tau, place) => `τ ${fmtTau(tau)}: ${fmt(values[place])}`).join(" · ")
      buttons.forEach((one, place) => setAttr(one, "class", place === right ? "plain right" : place === at ? "plain missed" : "plain"))
      said.textContent = `${at === right ? `✓ ${texts.right}` : `✗ ${texts.missed}`} ${numbers}. ${asked.why}`
      act.reveal(asked, asked.taus[asked.kind === "least" ? right : asked.taus.length - 1])
    }
    const onward = button("plain", () => (show((nth + 1) % questions.length), act.ask(questions[(nth + 1) % questions.length])), texts.next)
    const count = fill(texts.predict, { a: nth + 1, b: questions.length })
    body.replaceChildren(el("p", {}, el("b", {}, `${count} `), asked.text), line(...buttons, onward), said)
  }
  show(0)
  return { node: body }
}

// -- the same numbers as tables ----------------------------------------------------------------------------------------------
export function tablesBox(app) {
  const { texts } = app
  const { node, write } = tables(texts.table, () => {
    const { s, shares, gradient, row, tau } = app.frame()
    const places = [...s.keys()]
    const square = (caption, lines, value) => table(caption, ["", ...places.map((k) => `${k + 1}`)],
      lines.map((i) => [`${i + 1}`, ...places.map((k) => (i === k ? "–" : value(i, k)))]))
    return [
      square(texts.table_s, places, (i, k) => fmtSimilarity(s[i][k])),
      square(fill(texts.table_p, { tau: fmtTau(tau) }), places, (i, k) => fmt(shares[i][k], s.length > 8 ? 3 : 6)),
      square(fill(texts.table_g, { i: row + 1 }), [row], (_, k) => fmt(gradient[k], 6)),
    ]
  })
  return { node, update: () => app.player.playing || write() }
}
