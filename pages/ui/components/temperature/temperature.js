// The temperature explorer: one state, one `draw`, and the ways to change the state. All is computed in the browser.

import { el, keyed, setAttr, setText } from "../shared/dom.js"
import { CIVIDIS, clamp, fill, fmt, fmtShare, fmtTau, subscript } from "../shared/format.js"
import { mounting, Player } from "../shared/player.js"
import { barsPanel } from "./bars.js"
import { batchControls, dials, quizBox, tablesBox, transport } from "./controls.js"
import { curvesPanel, trainPanel } from "./curves.js"
import { beatsPanel, fractionPanel } from "./fraction.js"
import { cellPanel, matrixPanel } from "./matrix.js"
import { makeTrail, measure, MODES, openBatch, OWN, withCell, writeOwn } from "./model.js"
import { rowPanel } from "./rowview.js"

const CHIPS = 8
const MATRIX = ["preset", "n", "cells", "fix", "own"] // what names the matrix in a view

// A function of its data: { presets: [{ id, label, note, similarity, partner, adjustable }], questions, fewest, start, lang, hide,
// texts }; `start` is a view of model.js. Python is told of a view after a hand was lifted, never while something moves.
class Explorer {
  constructor({ parentElement, data }) {
    this.slots = { batches: el("div"), quiz: el("div"), body: el("div") } // filled anew each by itself, so that a hand keeps its hold
    this.root = el("div", { class: "figure nx" }, ...Object.values(this.slots))
    parentElement.append(this.root)
    this.state = { ...data.start, row: data.start.row - 1, log: false, hover: null, pinned: null }
    this.player = new Player(this.root, this.state, (ms) => this.step(ms))
    this.acts()
  }

  stop() {
    this.player.stop()
    this.root.remove()
  }

  // -- building: once a mount, a language or a batch of another size ----------------------------------------------------
  update({ data, setStateValue }) {
    this.report = (view) => setStateValue("view", view)
    const known = JSON.stringify([data.presets, data.questions, data.texts, data.hide])
    if (known === this.known) return
    Object.assign(this, { known, data, texts: data.texts })
    this.root.lang = data.lang
    this.bare(data.hide.includes("controls"))
    const ids = [...data.presets.map((preset) => preset.id), ...(this.state.own ? [OWN] : [])]
    if (!ids.includes(this.state.preset)) Object.assign(this.state, { preset: ids[0], cells: "", fix: false, at: MODES[this.state.mode].start })
    this.slots.quiz.replaceChildren(quizBox(this).node)
    this.openMatrix()
    this.offer()
    this.build()
  }

  // Without controls the figure itself is stepped by keys.
  bare(hidden) {
    this.root.classList.toggle("bare", hidden)
    const home = () => (this.halt(), this.set(MODES[this.state.mode].place(0)), this.tell())
    keyed(this.root, this.texts.keys, hidden ? { " ": this.act.toggle, ArrowRight: () => this.act.step(1), ArrowLeft: () => this.act.step(-1), Home: home } : null)
  }

  openMatrix() {
    this.batch = openBatch(this.data.presets, this.state)
    const { m, dragged, moved } = this.batch
    const mark = (name) => ([i, k]) => [[i * m + k, name], [k * m + i, name]]
    this.marks = new Map([...dragged.flatMap(mark("dragged")), ...moved.flatMap(mark("moved"))])
    this.trail = null
    this.state.row = clamp(this.state.row, 0, m - 1)
  }

  offer() {
    this.batches = batchControls(this)
    this.slots.batches.replaceChildren(this.batches.node)
  }

  build() {
    const { texts } = this
    this.state.hover = this.state.pinned = null
    const [matrix, one, cell, bars, formula, beats] = [matrixPanel, rowPanel, cellPanel, barsPanel, fractionPanel, beatsPanel].map((make) => make(this))
    const [curves, training, dial, play, tables, facts] = [curvesPanel, trainPanel, dials, transport, tablesBox, factsPanel].map((make) => make(this))
    this.panels = [matrix, one, cell, bars, formula, curves, dial, play, tables, facts]
    this.modes = { beats, train: training }
    this.live = el("div", { class: "hidden", "aria-live": "polite" })
    this.only = {
      beats: this.section("beats-box", texts.beats_title, beats.node), train: this.section("train-box", texts.training_title, training.node),
    }
    this.refused = el("p", { class: "problem" }, texts.no_training)
    this.now = el("b", { class: "number" })
    this.anchorLabel = el("span", { class: "anchor-name" })
    this.slots.body.replaceChildren(
      el("p", { class: "bare-line" }, this.now, ` ${texts.keys}`), el("div", { class: "controls" }, play.node, dial.node), this.refused, this.only.beats, this.only.train,
      el("div", { class: "panels" },
        this.section("matrix-box", texts.matrix_title, matrix.node, one.node, this.legend(), cell.node),
        this.section("bars-box", el("span", {}, texts.bars_title, " ", this.anchorLabel), bars.node, facts.node),
        this.section("formula-box", texts.fraction_title, formula.node, facts.sum),
        this.section("curves-box", null, curves.node, el("p", { class: "hint" }, texts.yardstick))),
      tables.node, this.live)
    this.root.dataset.ready = "1"
    this.draw()
  }

  section(name, title, ...parts) {
    return el("section", { class: `box ${name}` }, title && el("h3", {}, title), ...parts)
  }

  legend() {
    const log = el("input", { type: "checkbox", onchange: () => this.set({ log: log.checked }) })
    log.checked = this.state.log
    const ramp = [el("span", {}, "p = 0"), el("span", { class: "ramp", style: `background:linear-gradient(90deg,${CIVIDIS})` }), el("span", {}, "1")]
    return el("div", { class: "legend" }, ...ramp, el("label", { class: "log" }, log, this.texts.log))
  }

  // -- drawing: once a frame --------------------------------------------------------------------------------------------
  frame() {
    const { batch, state } = this
    const { tau, tau2, log, hover, pinned, mode, at } = state
    const training = mode === "train" && (batch.possible || batch.mended) ? { trail: this.openTrail(), at } : null
    const s = training ? training.trail.at(at).s : batch.s
    const row = hover ? hover.i : state.row
    const second = tau2 === null ? null : measure(s, batch.partner, tau2, row)
    const seen = { s, partner: batch.partner, row, col: hover ? hover.k : pinned, log, second, batch, marks: this.marks, training, beat: at }
    return { ...measure(s, batch.partner, tau, row), ...seen }
  }

  openTrail() {
    if (this.trail?.tau !== this.state.tau) this.trail = makeTrail(this.batch.s, this.batch.partner, this.state.tau)
    return this.trail
  }

  draw() {
    const frame = this.frame()
    const { mode, at, tau } = this.state
    const shown = { beats: mode === "beats", train: Boolean(frame.training) }
    for (const [name, box] of Object.entries(this.only)) box.hidden = !shown[name]
    this.refused.hidden = mode !== "train" || shown.train
    for (const panel of this.panels) panel.update(frame)
    if (shown[mode]) this.modes[mode].update(frame)
    setText(this.now, `τ = ${fmtTau(tau)}${MODES[mode].last === undefined ? "" : ` · ${at} / ${MODES[mode].last}`}`)
    setText(this.anchorLabel, fill(this.texts.anchor, { i: frame.row + 1, j: frame.partner[frame.row] + 1 }))
    Object.assign(this.root.dataset, { tau, mode, at })
  }

  set(change) {
    Object.assign(this.state, change)
    if (MATRIX.some((name) => name in change)) this.openMatrix()
    this.draw()
  }

  // A batch that may have another size or name: its panels are made anew.
  open(change) {
    this.halt()
    Object.assign(this.state, change, { at: MODES[this.state.mode].start })
    this.openMatrix()
    this.build()
  }

  // -- what a person can do ---------------------------------------------------------------------------------------------
  acts() {
    const begin = () => MODES[this.state.mode].start
    const alter = (change) => (this.halt(), this.set({ ...change, at: begin() }))
    this.act = {
      hover: (hover) => this.set({ hover }),
      pin: ({ i, k }) => {
        const again = this.state.row === i && this.state.pinned === k
        this.set({ row: i, pinned: again ? null : k, hover: null })
        this.commit()
      },
      choose: (i) => this.act.pin({ i, k: null }),
      shownRow: () => (this.state.hover ? this.state.hover.i : this.state.row),
      scrub: (tau, name = "tau") => (this.halt(), this.set({ [name]: tau })),
      seek: (at) => (this.halt(), this.set({ at })),
      setCell: (i, k, value) => alter({ cells: withCell(this.state.cells, i, k, value), fix: false, row: i, pinned: k }),
      mend: () => (alter({ fix: !this.state.fix }), this.commit()),
      undo: () => (alter({ cells: "", fix: false }), this.commit()),
      preset: (preset) => this.choosePreset(preset),
      size: (n) => this.open({ n, fix: false }),
      own: (s) => this.choosePreset(OWN, { own: writeOwn(s) }),
      mode: (mode) => (this.halt(), this.set({ mode, at: MODES[mode].start }), this.commit()),
      compare: () => (this.set({ tau2: this.state.tau2 !== null ? null : this.state.tau > 0.2 ? 0.1 : 0.5 }), this.commit()),
      toggle: () => this.toggle(),
      step: (way) => (this.halt(), this.set(MODES[this.state.mode].step(this.state, way)), this.tell()),
      ask: ({ preset, row, taus }) => this.choosePreset(preset, { row: Math.max(row - 1, 0), tau: taus[0], mode: "sweep" }, false),
      reveal: (asked, tau) => (this.act.ask(asked), asked.kind === "trend" && !this.player.still ? this.toggle() : this.act.scrub(tau)),
      commit: () => this.commit(),
    }
  }

  choosePreset(preset, more = {}, focus = true) {
    this.open({ preset, cells: "", fix: false, ...more })
    this.offer()
    if (focus) this.batches.items.find((item) => item.dataset.name === preset).focus()
    this.commit()
  }

  valueOf(i, k) {
    return this.frame().s[i][k]
  }

  // -- telling Python ---------------------------------------------------------------------------------------------------
  commit() {
    this.player.later(() => {
      const { preset, n, row, tau, tau2, cells, fix, own, mode, at, speed } = this.state
      this.report({ preset, n, row: row + 1, tau, tau2, cells, fix, own, mode, at, speed })
    })
  }

  // Say aloud where it stopped, and report it.
  tell() {
    const frame = this.frame()
    const p = frame.p[frame.partner[frame.row]]
    const said = this.state.mode === "beats" ? this.texts[`beat_${this.state.at}`] : this.texts.stopped
    this.live.textContent = fill(said, { tau: fmtTau(frame.tau), p: p.toFixed(4), loss: fmt(frame.total), count: frame.s.length - 1 })
    this.commit()
  }

  // -- playing ----------------------------------------------------------------------------------------------------------
  toggle() {
    if (this.player.playing) return this.halt(true)
    if (this.player.still) return this.act.step(1)
    const { span, moment, place } = MODES[this.state.mode]
    const t = moment(this.state)
    this.played = t > 0 && t < 1 ? t * span : 0
    this.player.play()
    this.set(this.played ? {} : place(0))
  }

  step(ms) {
    const { span, place } = MODES[this.state.mode]
    this.played += ms
    const t = Math.min(this.played / span, 1)
    const change = place(t)
    if (Object.keys(change).some((name) => change[name] !== this.state[name])) this.set(change)
    if (t === 1) this.halt(true)
    else this.player.ask()
  }

  halt(told = false) {
    if (!this.player.playing) return
    this.player.pause()
    this.draw()
    if (told) this.tell()
  }
}

export default mounting(Explorer)

// The anchor's numbers, the two laws checked as they are shown, and the mean over all anchors.
function factsPanel({ texts, batch: { m }, act, state }) {
  const fact = (name, tip) => {
    const value = el("b", { class: "number" })
    return { value, node: el("div", { class: "fact", title: tip }, el("span", {}, name), value) }
  }
  const facts = [fact("p₊", texts.share_help), fact(texts.pull, texts.pull_help), fact(texts.effective, texts.effective_help)]
  const badges = [el("span", { class: "badge" }), el("span", { class: "badge" })]
  const chips = Array.from({ length: m > CHIPS ? 0 : m }, (_, i) =>
    el("button", { type: "button", class: "chip", onclick: () => act.choose(i), "aria-label": fill(texts.choose, { i: i + 1 }) }))
  const total = el("b", { class: "number total-number" })
  const sum = el("div", { class: "mean" }, el("span", { class: "lead" }, fill(texts.mean, { count: m })), ...chips,
    el("span", { class: "lead" }, "L = ", total, ` ${texts.nats}`))
  const update = (frame) => {
    const j = frame.partner[frame.row]
    const both = (value) => [frame, frame.second].filter(Boolean).map(value).join("  |  ")
    setText(facts[0].value, both((one) => fmtShare(one.p[j], one.q)))
    setText(facts[1].value, both((one) => fmt(-one.gradient[j])))
    setText(facts[2].value, fill(texts.of, { a: both((one) => fmt(one.negatives, 3)), b: m - 2 }))
    setText(total, both((one) => fmt(one.total)))
    const sums = [frame.p.reduce((a, b) => a + b, 0) - 1, frame.gradient.reduce((a, b) => a + b, 0) * frame.tau]
    badges.forEach((badge, at) => {
      const good = Math.abs(sums[at]) < 1e-12
      setText(badge, `${["Σp = 1", texts.gradient_sum][at]} ${good ? "✓" : "✗"}`)
      setAttr(badge, "class", good ? "badge" : "badge wrong")
    })
    chips.forEach((chip, i) => {
      setText(chip, `ℓ${subscript(i + 1)} ${fmt(frame.losses[i], 3)}`)
      setAttr(chip, "class", i === frame.row ? "chip chosen" : "chip")
      setAttr(chip, "aria-pressed", String(i === state.row))
    })
  }
  return { node: el("div", { class: "facts" }, ...facts.map((one) => one.node), ...badges), sum, update }
}
