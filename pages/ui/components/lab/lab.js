// The collapse lab in the browser: two runs from one start side by side; play, step, go back, nudge, turn the spheres.
// The setting comes from Python; a step is computed when it is first looked at.

import { plot, repainted } from "../shared/chart.js"
import { button, el, keyed, setAttr, setText, svg, table, tables } from "../shared/dom.js"
import { clamp, fill, fmt } from "../shared/format.js"
import { lossCeiling, lossFloor } from "../shared/ntxent.js"
import { mounting, Player } from "../shared/player.js"
import { DIM, Lesson, lossUniformSphere, N, STEPS } from "./lesson.js"

const STEPS_A_MS = 0.06
const STILL = 50 // steps that Play takes at once where motion is not wanted
const BUDGET_MS = 10 // of a frame, for steps that nobody has looked at yet
const RADIUS = 128
const MARKS = [0, 200, 400, STEPS].map((step) => [step / STEPS, String(step)])
const CIRCLE = "M-8,0a8,8 0 1 0 16,0a8,8 0 1 0 -16,0z"
const SHAPES = [CIRCLE, "M-7.5,-7.5h15v15h-15z", "M0,-10.5L10.5,0L0,10.5L-10.5,0z", "M0,-11L11,7.5H-11z"]
const TURNS = { ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, -0.15], ArrowDown: [0, 0.15] }

// A valid view of whatever an address says, the twin of read_view in Python.
export function readView(_, { step, nudge, speed }) {
  const whole = (value, usual, low) => (/^-?\d{1,9}$/.test(value) ? clamp(Number(value), low, STEPS + Math.min(low, 0)) : usual)
  return { step: whole(step, 0, 0), nudge: whole(nudge, -1, -1), speed: ["slow", "fast"].includes(speed) ? speed : "normal" }
}

class Lab {
  constructor({ parentElement, data }) {
    this.root = el("div", { class: "figure lab" })
    parentElement.append(this.root)
    this.view = { ...data.start }
    this.turn = { yaw: 0.5, pitch: 0.3 }
    this.player = new Player(this.root, this.view, (ms) => this.frame(ms))
  }

  stop() {
    this.player.stop()
    this.root.remove()
  }

  // A rerun of the page: another language builds anew, another setting begins at step 0, the same again changes nothing.
  update({ data, setStateValue }) {
    this.send = (view) => setStateValue("view", view)
    const [setting, words] = [JSON.stringify(data.setting), JSON.stringify([data.texts, data.meters, data.hide])]
    if (setting !== this.setting) {
      this.halt()
      if (this.setting) Object.assign(this.view, { step: 0, nudge: -1 })
      Object.assign(this, { data, lesson: new Lesson({ ...data.setting, nudge: this.view.nudge }) })
      if (this.setting) this.commit()
    }
    if (setting !== this.setting || words !== this.words) this.build(data)
    Object.assign(this, { setting, words })
  }

  // -- building ---------------------------------------------------------------------------------------------------------
  build(data) {
    Object.assign(this, { data, texts: data.texts })
    this.root.lang = data.lang
    this.lanes = this.lesson.lanes.map((lane) => this.makeLane(lane))
    this.live = el("div", { class: "hidden", "aria-live": "polite" })
    this.tables = tables(this.texts.table, () => this.makeTables())
    this.root.replaceChildren(this.makeDial(), this.makeBare(data.hide.includes("controls")), el("div", { class: "lanes" }, ...this.lanes.map((lane) => lane.node)), this.tables.node, this.live)
    this.draw()
  }

  makeDial() {
    const { texts } = this
    const play = this.player.button(texts, () => this.toggle())
    const step = button("plain step", () => this.goTo(this.view.step + 1), texts.step)
    const nudge = button("plain nudge", () => this.nudge(), texts.nudge)
    const reset = button("plain reset", () => this.reset(), texts.reset)
    const range = el("input", { type: "range", class: "at", min: 0, max: STEPS, step: 1, "aria-label": texts.position,
      oninput: () => this.goTo(Number(range.value)), onkeydown: (event) => void (event.key === " " && (event.preventDefault(), this.toggle())) })
    const at = el("output", {})
    const node = el("div", { class: "dial" }, play.node, step, this.data.setting.start === "collapsed" ? nudge : null, reset,
      this.player.speeds(texts, () => this.commit()), el("label", { class: "position" }, range, at))
    this.dial = { node, play, step, nudge, range, at }
    return node
  }

  // Without controls the figure itself is stepped by keys.
  makeBare(hidden) {
    this.dial.node.hidden = hidden
    this.dial.now = el("b")
    const by = (steps) => () => this.goTo(this.view.step + steps)
    keyed(this.root, this.texts.keys, hidden ? { " ": () => this.toggle(), ArrowRight: by(1), ArrowLeft: by(-1), Home: () => this.reset() } : null)
    return el("p", { class: "bare-line", hidden: !hidden }, this.dial.now, ` ${this.texts.keys}`)
  }

  makeLane({ name }) {
    const { texts } = this
    const links = Array.from({ length: N }, () => svg("line", { class: "link" }))
    const points = Array.from({ length: 2 * N }, (_, i) => svg("g", {}, svg("path", { d: SHAPES[(i >> 1) % 4] }), svg("text", { y: 3 }, String((i >> 1) + 1))))
    const sphere = svg("svg", { viewBox: "-150 -146 300 292", class: "sphere", tabindex: "0", role: "img", onkeydown: (event) => this.rotate(event, TURNS[event.key]),
      onpointerdown: (down) => sphere.setPointerCapture(down.pointerId), onpointermove: (move) => move.buttons && this.rotate(move, [move.movementX / 100, move.movementY / 100]) },
    svg("circle", { r: RADIUS, class: "globe" }), ...links, ...points)
    const gradient = el("b", { class: "gradient" })
    const chart = this.makeChart(name)
    const meters = this.data.meters.map((meter) => this.makeMeter(meter))
    const node = el("section", { class: "box", "data-lane": name }, el("h3", {}, texts[name]), sphere, chart.node,
      el("div", { class: "fact" }, el("span", {}, texts.gradient), gradient), ...meters.map((meter) => meter.node))
    return { node, name, sphere, links, points, chart, gradient, meters }
  }

  // The loss of every step taken so far; dragging goes to a step.
  makeChart(name) {
    const { texts, data: { setting: { tau } } } = this
    const lines = name === "negatives" ? { ceiling: lossCeiling(N), even: lossUniformSphere(tau), floor: lossFloor(N, tau) } : { agree: 0 }
    const chart = plot(texts[`loss_${name}`], MARKS, (t) => this.goTo(Math.round(t * STEPS), false), () => this.commit())
    const dy = { ceiling: -5, even: 12, floor: 13, agree: -5 }
    const paint = repainted((losses, reached) => {
      const [high, low] = [lines.ceiling ?? Math.max(losses[0], 0.1), lines.floor ?? 0]
      chart.paint([low - 0.08 * (high - low), high + 0.16 * (high - low)], [
      ...Object.entries(lines).map(([line, value]) => ({ name: line, points: [[0, value], [1, value]] })),
      { name: "mean", points: losses.slice(0, reached + 1).map((value, t) => [t / STEPS, value]) },
    ], Object.entries(lines).map(([line, value]) => ({ name: line, at: [line === "ceiling" ? 0 : 1, value], dy: dy[line], text: fill(texts[line], { value: fmt(value, 3), count: 2 * N - 1 }) })), ["now", "dot mean"])
    })
    const update = (t, reading, losses) => {
      paint(losses, losses.length - 1)
      chart.move([[t / STEPS], [t / STEPS, losses[t]]])
      setText(chart.value, fmt(reading.loss, 3))
    }
    return { node: chart.node, update }
  }

  makeMeter({ id, label, help, low, high, spread }) {
    const place = (x) => `${(100 * clamp((x - low) / (high - low), 0, 1)).toFixed(1)}%`
    const [bar, value] = [el("i", { class: "bar" }), el("b", {})]
    const mark = spread === null ? null : el("i", { class: "mark", style: `left:${place(spread)}`, title: this.texts.spread })
    const node = el("div", { class: "meter", "data-meter": id }, el("span", {}, label), value, el("small", {}, help), el("span", { class: "track" }, bar, mark))
    return { id, node, update: (x) => (setText(value, fmt(x, 3)), setAttr(bar, "style", `width:${place(x)}`)) }
  }

  // -- drawing: once a frame --------------------------------------------------------------------------------------------
  draw() {
    const until = performance.now() + BUDGET_MS
    while (this.lesson.reached < this.view.step && performance.now() < until) this.lesson.advance()
    const t = (this.t = Math.min(this.view.step, this.lesson.reached))
    const { play, step, nudge, range, at, now } = this.dial
    play.update()
    step.disabled = play.node.disabled = t === STEPS
    nudge.disabled = this.view.nudge >= 0 || t === STEPS
    range.value = t
    for (const text of [at, now]) setText(text, fill(this.texts.at, { t, steps: STEPS }))
    this.readings = this.lesson.lanes.map((lane) => this.lesson.read(lane, t))
    this.lanes.forEach((lane, k) => this.drawLane(lane, this.lesson.lanes[k].loss, this.readings[k]))
    Object.assign(this.root.dataset, { step: t, ready: t === this.view.step ? 1 : 0 })
    if (!this.player.playing) this.tables.write()
    if (t < this.view.step || this.player.playing) this.player.ask()
  }

  drawLane(lane, losses, reading) {
    const { u } = reading
    const [sinY, cosY, sinP, cosP] = [Math.sin(this.turn.yaw), Math.cos(this.turn.yaw), Math.sin(this.turn.pitch), Math.cos(this.turn.pitch)]
    const seen = lane.points.map((node, i) => {
      const [x, y, z] = [u[i * DIM] * cosY + u[i * DIM + 2] * sinY, u[i * DIM + 1], u[i * DIM + 2] * cosY - u[i * DIM] * sinY]
      const [across, down, depth] = [RADIUS * x, -RADIUS * (y * cosP - z * sinP), y * sinP + z * cosP]
      setAttr(node, "transform", `translate(${across.toFixed(1)} ${down.toFixed(1)}) scale(${(0.85 + 0.2 * depth).toFixed(2)})`)
      setAttr(node, "class", `point colour${(i >> 1) % 4} ${i % 2 ? "second" : "first"} ${depth < 0 ? "behind" : ""}`)
      return [across, down]
    })
    lane.links.forEach((line, i) => seen[2 * i].concat(seen[2 * i + 1]).forEach((at, k) => setAttr(line, ["x1", "y1", "x2", "y2"][k], at.toFixed(1))))
    setAttr(lane.sphere, "aria-label", fill(this.texts.sphere, { count: N, cosine: fmt(reading.mean_cosine, 3), rank: fmt(reading.rankme, 3) }))
    setText(lane.gradient, fmt(reading.gradient, 3))
    lane.meters.forEach((meter) => meter.update(reading[meter.id]))
    lane.chart.update(this.t, reading, losses)
  }

  makeTables() {
    const { texts, readings } = this
    const heads = this.lanes.map((lane) => texts[lane.name])
    const quantities = [["loss", texts.loss], ["gradient", texts.gradient], ...this.data.meters.map((meter) => [meter.id, meter.label])]
    const place = (reading, i) => Array.from(reading.u.slice(i * DIM, (i + 1) * DIM), (v) => v.toFixed(3)).join("  ")
    return [
      table(fill(texts.at, { t: this.t, steps: STEPS }), [texts.quantity, ...heads], quantities.map(([id, text]) => [text, ...readings.map((reading) => fmt(reading[id], 6))])),
      table(texts.places, [texts.view, ...heads], Array.from({ length: 2 * N }, (_, i) => [`${(i >> 1) + 1}${"ab"[i % 2]}`, ...readings.map((reading) => place(reading, i))])),
    ]
  }

  // -- changing and playing ---------------------------------------------------------------------------------------------
  goTo(step, told = true) {
    this.halt()
    this.view.step = clamp(step, 0, STEPS)
    this.draw()
    if (told) this.commit()
  }

  reset() {
    this.view.nudge = -1
    this.lesson = new Lesson(this.data.setting)
    this.goTo(0)
  }

  nudge() {
    this.lesson.nudge((this.view.nudge = this.t))
    if (!this.player.playing) this.toggle()
  }

  rotate(event, turn) {
    if (!turn) return
    event.preventDefault()
    this.turn = { yaw: this.turn.yaw + turn[0], pitch: clamp(this.turn.pitch + turn[1], -1.5, 1.5) }
    this.draw()
  }

  commit() {
    this.player.later(() => this.send({ ...this.view }))
  }

  toggle() {
    if (this.player.playing) return this.halt(true)
    if (this.player.still) return this.goTo(this.view.step + STILL)
    if (this.view.step === STEPS) return
    this.exact = this.view.step
    this.player.play()
    this.draw()
  }

  frame(ms) {
    if (this.player.playing) this.view.step = Math.min(Math.floor((this.exact += ms * STEPS_A_MS)), STEPS)
    this.draw()
    if (this.player.playing && this.t === STEPS) this.halt(true)
  }

  // Stop within the frame; `told` says it aloud and tells Python where it stopped.
  halt(told = false) {
    if (!this.player.playing) return
    this.player.pause()
    this.view.step = this.t
    this.draw()
    if (!told) return
    const [a, b] = this.readings.map((reading) => fmt(reading.mean_cosine, 3))
    this.live.textContent = fill(this.texts.stopped, { t: this.t, a, b })
    this.commit()
  }
}

export default mounting(Lab)
