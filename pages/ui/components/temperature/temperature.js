// The temperature explorer: one state (tau, anchor, batch, what is lit), one `draw`, and the ways to change the state.
// Everything is computed in the browser; Python hears of a change only when a hand is lifted.

import { curvesPanel, fraction, HIGH, LOW, sweep } from "./curves.js"
import { el, setAttr, setText } from "../shared/dom.js"
import { fill, fmt, fmtShare, fmtSimilarity, fmtTau, subscript } from "../shared/format.js"
import { effectiveNegatives, gradientRow, lossRows, mean, missing, pullRows, softmaxRows } from "../shared/ntxent.js"
import { barsPanel, fractionPanel, matrixPanel } from "./panels.js"

const LABELLED = [0.01, 0.05, 0.07, 0.1, 0.2, 0.5, 1, 2, 5, 10]
const STOPS = [0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1, 2, 5, 10]
const KEY_STOPS = [0.5, 0.3, 0.2, 0.15, 0.1] // what is shown instead of motion
const FROM = 0.5
const TO = 0.1
const SWEEP_MS = 4000
const JUMP_MS = 900
const SNAP = 0.012 // of the slider's length
const COMMIT_MS = 250
const CHIPS = 8

const instances = new WeakMap()

export default function (component) {
  const { data, parentElement, setStateValue } = component
  let app = instances.get(parentElement)
  if (!app) instances.set(parentElement, (app = new Explorer(parentElement, data.start)))
  app.send = (view) => setStateValue("view", view)
  app.build(data)
  return () => {
    app.stop()
    instances.delete(parentElement)
  }
}

class Explorer {
  constructor(parent, start) {
    this.root = el("div", { class: "nx" })
    parent.append(this.root)
    this.state = { ...start, log: false, hover: null, pinned: null, playing: false }
    this.visible = true
    this.observer = new IntersectionObserver(([entry]) => this.see(entry.isIntersecting && !document.hidden))
    this.observer.observe(this.root)
    this.onHidden = () => this.see(!document.hidden)
    document.addEventListener("visibilitychange", this.onHidden)
    this.sizes = new ResizeObserver(() => this.resized())
    this.sizes.observe(this.root)
  }

  stop() {
    cancelAnimationFrame(this.request)
    clearTimeout(this.timer)
    this.observer.disconnect()
    this.sizes.disconnect()
    document.removeEventListener("visibilitychange", this.onHidden)
    this.root.remove()
  }

  // -- building: once a mount, a language or a batch ------------------------------------------------------------------
  build(data) {
    this.data = data
    this.texts = data.texts
    this.root.lang = data.lang
    const names = data.presets.map((preset) => preset.id)
    if (!names.includes(this.state.preset)) this.state.preset = names[0]
    this.openBatch()
  }

  openBatch() {
    const preset = this.data.presets.find((one) => one.id === this.state.preset)
    this.batch = this.cut(preset)
    this.curve = sweep(this.batch)
    this.state.row = Math.min(Math.max(this.state.row, 0), this.batch.m - 1)
    this.state.hover = this.state.pinned = null
    this.panels = [matrixPanel(this), barsPanel(this), fractionPanel(this), curvesPanel(this)]
    this.controls = this.makeControls()
    this.facts = this.makeFacts()
    this.live = el("div", { class: "hidden", "aria-live": "polite" })
    this.tables = el("details", { class: "tables", ontoggle: () => this.fillTables() }, el("summary", {}, this.texts.table))
    const [matrix, bars, formula, curves] = this.panels.map((panel) => panel.node)
    this.root.replaceChildren(
      this.controls.node, el("p", { class: "note" }, preset.note, this.size(preset)),
      el("div", { class: "panels" },
        this.section("matrix-box", this.texts.matrix_title, matrix, this.legend()),
        this.section("bars-box", this.texts.bars_title, bars, this.facts.node, this.anchorName()),
        this.section("formula-box", this.texts.fraction_title, formula, this.facts.sum),
        this.section("curves-box", null, curves, el("p", { class: "hint" }, this.texts.yardstick))),
      this.tables, this.live)
    this.root.dataset.ready = "1"
    this.draw()
  }

  // The first n images of a batch whose size can be chosen; views stand in turn, so the first 2n rows.
  cut({ similarity, partner, adjustable }) {
    const m = adjustable ? Math.min(2 * this.state.n, partner.length) : partner.length
    return { s: similarity.slice(0, m).map((row) => row.slice(0, m)), partner: partner.slice(0, m), m }
  }

  // How many images stand in the batch: fewer views, fewer negatives, a lower ceiling.
  size(preset) {
    if (!preset.adjustable) return null
    const shown = el("output", {}, String(this.batch.m / 2))
    const range = el("input", {
      type: "range", min: this.data.fewest, max: preset.partner.length / 2, step: 1, class: "count", "aria-label": this.texts.images,
      oninput: (event) => this.resize(Number(event.target.value)), onchange: () => this.commit(),
    })
    range.value = this.batch.m / 2
    return el("label", { class: "size" }, el("span", {}, this.texts.images), range, shown)
  }

  resize(n) {
    this.state.n = n
    this.openBatch()
    this.root.querySelector(".count").focus()
  }

  section(name, title, body, foot, extra) {
    const head = title && el("h3", {}, title, ...(extra ? [extra] : []))
    return el("section", { class: `box ${name}` }, head, body, foot)
  }

  anchorName() {
    return (this.anchorLabel = el("span", { class: "anchor-name" }))
  }

  legend() {
    const log = el("input", { type: "checkbox", onchange: (event) => this.set({ log: event.target.checked }) })
    log.checked = this.state.log
    return el("div", { class: "legend" }, el("span", {}, "p = 0"), el("span", { class: "ramp" }), el("span", {}, "1"),
      el("label", { class: "log" }, log, this.texts.log))
  }

  makeControls() {
    const { texts } = this
    const presets = this.data.presets.map((preset) => el("button", {
      type: "button", role: "radio", class: "preset", "data-preset": preset.id, "aria-checked": String(preset.id === this.state.preset),
      tabindex: preset.id === this.state.preset ? "0" : "-1", onclick: () => this.choosePreset(preset.id),
      onkeydown: (event) => this.walkPresets(event),
    }, preset.label))
    const play = el("button", { type: "button", class: "play", onclick: () => this.toggle() })
    const field = el("input", {
      type: "text", inputmode: "decimal", class: "tau-field", "aria-label": texts.tau_field, onchange: (event) => this.typed(event.target),
    })
    const range = el("input", {
      type: "range", min: 0, max: 1, step: 0.0005, class: "tau", "aria-label": texts.tau, oninput: (event) => this.act.scrub(tauAt(Number(event.target.value))),
      onchange: () => this.act.commit(), onkeydown: (event) => this.sliderKey(event),
    })
    const ticks = LABELLED.map((tau) => el("button", {
      type: "button", class: "tick", tabindex: "-1", "data-tau": tau, style: `left:${(100 * fraction(tau)).toFixed(2)}%`,
      onclick: () => this.goTo(tau),
    }, String(tau).replace(/^0/, "")))
    const node = el("div", { class: "controls" },
      el("div", { class: "presets", role: "radiogroup", "aria-label": texts.batch }, ...presets),
      el("div", { class: "dial" }, play, el("label", { class: "tau-box" }, el("span", { class: "tau-name" }, "τ ="), field),
        el("div", { class: "slider" }, range, el("div", { class: "tick-row", "aria-hidden": "true" }, ...ticks))))
    return { node, play, field, range, presets, ticks }
  }

  makeFacts() {
    const { texts, batch } = this
    const fact = (name, tip) => {
      const value = el("b", { class: "number" })
      return { value, node: el("div", { class: "fact", title: tip }, el("span", {}, name), value) }
    }
    const share = fact("p₊", texts.share_help)
    const pull = fact(texts.pull, texts.pull_help)
    const negatives = fact(texts.effective, texts.effective_help)
    const badges = [el("span", { class: "badge" }), el("span", { class: "badge" })]
    const chips = batch.m > CHIPS ? [] : batch.s.map((_, i) => el("button", {
      type: "button", class: "chip", onclick: () => this.act.choose(i), "aria-label": fill(texts.choose, { i: i + 1 }),
    }))
    const total = el("b", { class: "number total-number" })
    const sum = el("div", { class: "mean" }, el("span", { class: "lead" }, fill(texts.mean, { count: batch.m })), ...chips,
      el("span", { class: "lead" }, "L = ", total, ` ${texts.nats}`))
    const node = el("div", { class: "facts" }, share.node, pull.node, negatives.node, ...badges)
    return { node, sum, share, pull, negatives, badges, chips, total }
  }

  // -- drawing: once a frame ------------------------------------------------------------------------------------------
  frame() {
    const { s, partner, m } = this.batch
    const { tau, log, row: anchor, hover, pinned } = this.state
    const row = hover ? hover.i : anchor
    const shares = softmaxRows(s, tau)
    const p = shares[row]
    const losses = lossRows(s, partner, tau)
    return {
      tau, log, row, shares, p, losses, col: hover ? hover.k : pinned, q: missing(p, partner[row]), total: mean(losses),
      gradient: gradientRow(p, partner[row], tau), pull: mean(pullRows(s, partner, tau)),
      negatives: effectiveNegatives(s[row], row, partner[row], tau), most: m - 2,
    }
  }

  draw() {
    const frame = this.frame()
    for (const panel of this.panels) panel.update(frame)
    this.drawControls(frame)
    this.drawFacts(frame)
    if (this.tables.open && !this.state.playing) this.fillTables()
  }

  drawControls(frame) {
    const { play, field, range, ticks } = this.controls
    const { texts, state } = this
    const j = this.batch.partner[frame.row]
    setText(this.anchorLabel, fill(texts.anchor, { i: frame.row + 1, j: j + 1 }))
    setText(play, state.playing ? `❚❚ ${texts.pause}` : `▶ ${texts.play}`)
    setAttr(play, "aria-pressed", String(state.playing))
    if (this.root.getRootNode().activeElement !== field) field.value = fmtTau(frame.tau)
    if (range.value !== String(fraction(frame.tau))) range.value = fraction(frame.tau)
    setAttr(range, "style", `--at:${(100 * fraction(frame.tau)).toFixed(2)}%`)
    setAttr(range, "aria-valuetext", `tau ${fmtTau(frame.tau)}, p+ ${frame.p[j].toFixed(4)}`)
    ticks.forEach((tick, at) => setAttr(tick, "class", Math.abs(LABELLED[at] / frame.tau - 1) < 1e-6 ? "tick now" : "tick"))
    this.root.dataset.tau = frame.tau
  }

  drawFacts(frame) {
    const { share, pull, negatives, badges, chips, total } = this.facts
    const { texts, state } = this
    const j = this.batch.partner[frame.row]
    setText(share.value, fmtShare(frame.p[j], frame.q))
    setText(pull.value, fmt(-frame.gradient[j]))
    setText(negatives.value, fill(texts.of, { a: fmt(frame.negatives, 3), b: frame.most }))
    const sums = [frame.p.reduce((a, b) => a + b, 0) - 1, frame.gradient.reduce((a, b) => a + b, 0) * frame.tau]
    const names = ["Σp = 1", texts.gradient_sum]
    badges.forEach((badge, at) => {
      const good = Math.abs(sums[at]) < 1e-12
      setText(badge, `${names[at]} ${good ? "✓" : "✗"}`)
      setAttr(badge, "class", good ? "badge" : "badge wrong")
    })
    chips.forEach((chip, i) => {
      setText(chip, `ℓ${subscript(i + 1)} ${fmt(frame.losses[i], 3)}`)
      setAttr(chip, "class", i === frame.row ? "chip chosen" : "chip")
      setAttr(chip, "aria-pressed", String(i === state.row))
    })
    setText(total, fmt(frame.total))
  }

  // The same numbers as tables, for reading aloud and for copying; written when opened.
  fillTables() {
    if (!this.tables.open) return
    const { s, m } = this.batch
    const frame = this.frame()
    const table = (caption, value) => el("table", {}, el("caption", {}, caption),
      el("thead", {}, el("tr", {}, el("td"), ...s.map((_, k) => el("th", { scope: "col" }, `${k + 1}`)))),
      el("tbody", {}, ...s.map((_, i) => el("tr", {}, el("th", { scope: "row" }, `${i + 1}`),
        ...s.map((_, k) => el("td", {}, i === k ? "–" : value(i, k)))))))
    this.tables.replaceChildren(this.tables.firstChild, el("div", { class: "table-scroll" },
      table(this.texts.table_s, (i, k) => fmtSimilarity(s[i][k])),
      table(fill(this.texts.table_p, { tau: fmtTau(frame.tau) }), (i, k) => fmt(frame.shares[i][k], m > CHIPS ? 3 : 6))))
  }

  // -- changing -------------------------------------------------------------------------------------------------------
  set(change) {
    Object.assign(this.state, change)
    this.draw()
  }

  get act() {
    return (this.acts ??= {
      hover: (at) => this.set({ hover: at }),
      pin: (at) => this.pin(at),
      choose: (i) => this.pin({ i, k: null }),
      shownRow: () => (this.state.hover ? this.state.hover.i : this.state.row),
      scrub: (tau) => this.scrub(tau),
      commit: () => this.commit(),
    })
  }

  pin({ i, k }) {
    const again = this.state.row === i && this.state.pinned === k
    this.set({ row: i, pinned: again ? null : k, hover: null })
    this.commit()
  }

  scrub(tau) {
    this.halt()
    const near = STOPS.find((stop) => Math.abs(fraction(stop) - fraction(tau)) < SNAP)
    this.set({ tau: near ?? tau })
  }

  goTo(tau) {
    this.halt()
    this.set({ tau: Math.min(Math.max(tau, LOW), HIGH) })
    this.commit()
  }

  typed(field) {
    const digits = field.value.normalize("NFKC").trim().replace(",", ".")
    const tau = Number(digits)
    if (digits && tau > 0 && Number.isFinite(tau)) this.goTo(tau)
    field.value = fmtTau(this.state.tau)
  }

  sliderKey(event) {
    const { tau } = this.state
    const up = event.key === "ArrowRight" || event.key === "ArrowUp" || event.key === "PageUp"
    const down = event.key === "ArrowLeft" || event.key === "ArrowDown" || event.key === "PageDown"
    if (event.key === " ") this.toggle()
    else if (event.key === "Home") this.goTo(LOW)
    else if (event.key === "End") this.goTo(HIGH)
    else if (event.shiftKey && (up || down)) this.goTo(tau * (up ? 1.02 : 1 / 1.02))
    else if (up) this.goTo(STOPS.find((stop) => stop > tau * 1.0001) ?? HIGH)
    else if (down) this.goTo(STOPS.findLast((stop) => stop < tau * 0.9999) ?? LOW)
    else return
    event.preventDefault()
  }

  choosePreset(id) {
    this.halt()
    this.state.preset = id
    this.openBatch()
    this.controls.presets.find((button) => button.dataset.preset === id).focus()
    this.commit()
  }

  walkPresets(event) {
    const move = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key]
    if (!move) return
    event.preventDefault()
    const names = this.data.presets.map((preset) => preset.id)
    this.choosePreset(names[(names.indexOf(this.state.preset) + move + names.length) % names.length])
  }

  commit() {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => {
      const { tau, row, preset, n } = this.state
      this.send({ tau, row: row + 1, preset, n })
    }, COMMIT_MS)
  }

  // -- playing --------------------------------------------------------------------------------------------------------
  toggle() {
    if (this.state.playing) return this.halt(true)
    const { tau } = this.state
    const midway = tau < FROM * 0.9999 && tau > TO * 1.0001
    this.still = matchMedia("(prefers-reduced-motion: reduce)").matches
    this.played = midway ? (Math.log(FROM / tau) / Math.log(FROM / TO)) * this.duration() : 0
    this.set({ playing: true, tau: midway ? tau : FROM })
    this.next()
  }

  duration() {
    return this.still ? JUMP_MS * (KEY_STOPS.length - 1) : SWEEP_MS
  }

  next() {
    cancelAnimationFrame(this.request)
    this.before = undefined
    if (this.state.playing && this.visible) this.request = requestAnimationFrame((now) => this.step(now))
  }

  step(now) {
    if (!this.state.playing) return
    this.played += Math.min(now - (this.before ?? now), 100) // a long gap is a stall, not time that was seen
    this.before = now
    const t = Math.min(this.played / this.duration(), 1)
    const tau = this.still ? KEY_STOPS[Math.floor(t * (KEY_STOPS.length - 1) + 1e-9)] : t === 1 ? TO : FROM * (TO / FROM) ** t
    if (tau !== this.state.tau) this.set({ tau })
    if (t === 1) return this.halt(true)
    this.request = requestAnimationFrame((then) => this.step(then))
  }

  // Stop within the frame; `told` says it aloud and tells Python where it stopped.
  halt(told = false) {
    if (!this.state.playing) return
    cancelAnimationFrame(this.request)
    this.set({ playing: false })
    if (!told) return
    const frame = this.frame()
    const p = frame.p[this.batch.partner[frame.row]]
    this.live.textContent = fill(this.texts.stopped, { tau: fmtTau(frame.tau), p: p.toFixed(4), loss: fmt(frame.total) })
    this.commit()
  }

  see(visible) {
    this.visible = visible
    this.next()
  }

  resized() {
    const width = this.root.clientWidth
    if (width === this.width || !this.panels) return
    this.width = width
    this.panels[3].resize()
    this.draw()
  }
}

function tauAt(t) {
  return LOW * (HIGH / LOW) ** t
}
