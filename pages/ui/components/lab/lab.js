// The collapse lab in the browser: two runs from one start side by side; play, step, go back, nudge, turn the spheres.
// The setting comes from Python; a step is computed when it is first looked at.

import { el, keyed, setAttr, setText, svg } from "../shared/dom.js"
import { fill, fmt } from "../shared/format.js"
import { lossCeiling, lossFloor } from "../shared/ntxent.js"
import { DIM, Lesson, lossUniformSphere, N, STEPS } from "./lesson.js"

const SPEEDS = { slow: 10, normal: 60, fast: 300 } // steps a second
const STILL = 50 // steps that Play takes at once where motion is not wanted
const BUDGET_MS = 10 // of a frame, for steps that nobody has looked at yet
const COMMIT_MS = 250
const RADIUS = 128
const CHART = { width: 300, height: 120, top: 16, bottom: 18 }
const CIRCLE = "M-8,0a8,8 0 1 0 16,0a8,8 0 1 0 -16,0z"
const SHAPES = [CIRCLE, "M-7.5,-7.5h15v15h-15z", "M0,-10.5L10.5,0L0,10.5L-10.5,0z", "M0,-11L11,7.5H-11z"]
const TURNS = { ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, -0.15], ArrowDown: [0, 0.15] }
const instances = new WeakMap()

export default function (component) {
  const { data, parentElement, setStateValue } = component
  let lab = instances.get(parentElement)
  if (!lab) instances.set(parentElement, (lab = new Lab(parentElement, data.start)))
  lab.send = (view) => setStateValue("view", view)
  lab.take(data)
  return () => {
    lab.stop()
    instances.delete(parentElement)
  }
}

class Lab {
  constructor(parent, start) {
    this.root = el("div", { class: "lab" })
    parent.append(this.root)
    this.view = { ...start }
    this.turn = { yaw: 0.5, pitch: 0.3 }
    this.visible = true
    this.observer = new IntersectionObserver(([entry]) => this.see(entry.isIntersecting && !document.hidden))
    this.observer.observe(this.root)
    this.onHidden = () => this.see(!document.hidden)
    document.addEventListener("visibilitychange", this.onHidden)
  }

  stop() {
    cancelAnimationFrame(this.request)
    clearTimeout(this.timer)
    this.observer.disconnect()
    document.removeEventListener("visibilitychange", this.onHidden)
    this.root.remove()
  }

  // A rerun of the page: another language builds anew, another setting begins at step 0, the same again changes nothing.
  take(data) {
    const [setting, words] = [JSON.stringify(data.setting), JSON.stringify([data.texts, data.meters, data.hide])]
    if (setting !== this.setting) {
      this.halt()
      if (this.setting) this.view = { ...this.view, step: 0, nudge: -1 }
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
    this.lanes = this.lesson.lanes.map(({ name }) => this.makeLane(name))
    this.live = el("div", { class: "hidden", "aria-live": "polite" })
    this.tables = el("details", { class: "tables", ontoggle: () => this.fillTables() }, el("summary", {}, this.texts.table))
    this.root.replaceChildren(this.makeDial(), this.makeBare(data.hide.includes("controls")), el("div", { class: "lanes" }, ...this.lanes.map((lane) => lane.node)), this.tables, this.live)
    this.draw()
  }

  makeDial() {
    const { texts } = this
    const button = (name, act) => el("button", { type: "button", class: name, onclick: act }, texts[name])
    const [play, step, nudge, reset] = [button("play", () => this.toggle()), button("step", () => this.goTo(this.view.step + 1)),
      button("nudge", () => this.nudge()), button("reset", () => this.reset())]
    const range = el("input", { type: "range", class: "at", min: 0, max: STEPS, step: 1, "aria-label": texts.position,
      oninput: () => this.goTo(Number(range.value)), onkeydown: (event) => void (event.key === " " && (event.preventDefault(), this.toggle())) })
    const at = el("output", {})
    const speed = el("select", { "aria-label": texts.speed, onchange: () => (Object.assign(this.view, { speed: speed.value }), this.commit()) },
      ...Object.keys(SPEEDS).map((name) => el("option", { value: name, selected: name === this.view.speed }, texts[name])))
    const node = el("div", { class: "dial" }, play, step, this.data.setting.start === "collapsed" ? nudge : null, reset, speed, el("label", { class: "position" }, range, at))
    this.dial = { node, play, step, nudge, range, at }
    return node
  }

  // Without controls the figure itself is stepped by keys.
  makeBare(hidden) {
    this.dial.node.hidden = hidden
    this.dial.now = el("b")
    if (hidden) keyed(this.root, this.texts.keys, { " ": () => this.toggle(), ArrowRight: () => this.goTo(this.view.step + 1), ArrowLeft: () => this.goTo(this.view.step - 1), Home: () => this.reset() })
    else for (const name of ["tabindex", "role", "aria-label"]) this.root.removeAttribute(name)
    return el("p", { class: "bare-line", hidden: !hidden }, this.dial.now, ` ${this.texts.keys}`)
  }

  makeLane(name) {
    const { texts } = this
    const links = Array.from({ length: N }, () => svg("line", { class: "link" }))
    const points = Array.from({ length: 2 * N }, (_, i) => svg("g", {}, svg("path", { d: SHAPES[(i >> 1) % 4] }), svg("text", { y: 3 }, String((i >> 1) + 1))))
    const sphere = svg("svg", { viewBox: "-150 -146 300 292", class: "sphere", tabindex: "0", role: "img", onkeydown: (event) => this.rotate(event, TURNS[event.key]),
      onpointerdown: (down) => sphere.setPointerCapture(down.pointerId), onpointermove: (move) => move.buttons && this.rotate(move, [move.movementX / 100, move.movementY / 100]) },
    svg("circle", { r: RADIUS, class: "globe" }), ...links, ...points)
    const [loss, gradient] = [el("b", { class: "loss" }), el("b", { class: "gradient" })]
    const chart = svg("svg", { viewBox: `0 0 ${CHART.width} ${CHART.height}`, class: "chart", role: "img", "aria-label": texts[`loss_${name}`] })
    const meters = this.data.meters.map((meter) => this.makeMeter(meter))
    const fact = (text, value) => el("div", { class: "fact" }, el("span", {}, text), value)
    const node = el("section", { class: "box", "data-lane": name }, el("h3", {}, texts[name]), sphere, fact(texts[`loss_${name}`], loss), chart,
      fact(texts.gradient, gradient), ...meters.map((meter) => meter.node))
    return { node, name, sphere, links, points, chart, loss, gradient, meters }
  }

  makeMeter({ id, label, help, low, high, spread }) {
    const place = (x) => `${(100 * Math.min(Math.max((x - low) / (high - low), 0), 1)).toFixed(1)}%`
    const [bar, value] = [el("i", { class: "bar" }), el("b", {})]
    const mark = spread === null ? null : el("i", { class: "mark", style: `left:${place(spread)}`, title: this.texts.spread })
    const node = el("div", { class: "meter", "data-meter": id }, el("span", {}, label), value, el("small", {}, help), el("span", { class: "track" }, bar, mark))
    return { id, label, node, update: (x) => (setText(value, fmt(x, 3)), setAttr(bar, "style", `width:${place(x)}`)) }
  }

  // -- drawing: once a frame --------------------------------------------------------------------------------------------
  draw() {
    const until = performance.now() + BUDGET_MS
    while (this.lesson.reached < this.view.step && performance.now() < until) this.lesson.advance()
    const t = (this.t = Math.min(this.view.step, this.lesson.reached))
    const { play, step, nudge, range, at } = this.dial
    setText(play, this.playing ? `❚❚ ${this.texts.pause}` : `▶ ${this.texts[this.still ? "play_still" : "play"]}`)
    step.disabled = play.disabled = t === STEPS
    nudge.disabled = this.view.nudge >= 0 || t === STEPS
    range.value = t
    for (const text of [at, this.dial.now]) setText(text, fill(this.texts.at, { t, steps: STEPS }))
    this.readings = this.lesson.lanes.map((lane) => this.lesson.read(lane, t))
    this.lanes.forEach((lane, k) => this.drawLane(lane, this.lesson.lanes[k].loss, this.readings[k]))
    Object.assign(this.root.dataset, { step: t, ready: t === this.view.step ? 1 : 0 })
    if (this.tables.open && !this.playing) this.fillTables()
    if (t < this.view.step || this.playing) this.next()
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
    setText(lane.loss, fmt(reading.loss, 3))
    setText(lane.gradient, fmt(reading.gradient, 3))
    lane.meters.forEach((meter) => meter.update(reading[meter.id]))
    this.drawChart(lane, losses)
  }

  drawChart({ chart, name }, losses) {
    const { tau } = this.data.setting
    const { width, height, top, bottom } = CHART
    const lines = name === "negatives" ? { ceiling: lossCeiling(N), even: lossUniformSphere(tau), floor: lossFloor(N, tau) } : { agree: 0 }
    const [highest, lowest] = [name === "negatives" ? lines.ceiling : Math.max(losses[0], 0.1), lines.floor ?? 0]
    const x = (t) => ((t / STEPS) * width).toFixed(1)
    const y = (v) => (top + (1 - Math.min(Math.max((v - lowest) / (highest - lowest), 0), 1.1)) * (height - top - bottom)).toFixed(1)
    const path = (end) => losses.slice(0, end).map((v, t) => `${x(t)},${y(v)}`).join(" ")
    chart.replaceChildren(...Object.entries(lines).flatMap(([id, value]) => [svg("line", { x1: 0, x2: width, y1: y(value), y2: y(value), class: "yardstick" }),
      svg("text", { x: width, y: Number(y(value)) + (id === "ceiling" ? -4 : 12), class: "tag" }, fill(this.texts[id], { value: fmt(value, 3), count: 2 * N - 1 }))]),
    svg("polyline", { points: path(), class: "line ahead" }), svg("polyline", { points: path(this.t + 1), class: "line" }),
    svg("circle", { cx: x(this.t), cy: y(losses[this.t]), r: 4.5, class: "dot" }))
  }

  // The same numbers as tables, for reading aloud and for copying; written when opened.
  fillTables() {
    if (!this.tables.open) return
    const { texts, readings } = this
    const table = (caption, head, rows) => el("table", {}, el("caption", {}, caption), el("thead", {}, el("tr", {}, ...head.map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", {}, ...rows.map(([first, ...rest]) => el("tr", {}, el("th", { scope: "row" }, first), ...rest.map((text) => el("td", {}, text))))))
    const [one, two] = this.lanes.map((lane) => texts[lane.name])
    const quantities = [["loss", texts.loss], ["gradient", texts.gradient], ...this.data.meters.map((meter) => [meter.id, meter.label])]
    const place = (reading, i) => Array.from(reading.u.slice(i * DIM, (i + 1) * DIM), (v) => v.toFixed(3)).join("  ")
    this.tables.replaceChildren(this.tables.firstChild, el("div", { class: "table-scroll" },
      table(fill(texts.at, { t: this.t, steps: STEPS }), [texts.quantity, one, two], quantities.map(([id, text]) => [text, ...readings.map((reading) => fmt(reading[id], 6))])),
      table(texts.places, [texts.view, one, two], this.lanes[0].points.map((_, i) => [`${(i >> 1) + 1}${"ab"[i % 2]}`, ...readings.map((reading) => place(reading, i))]))))
  }

  // -- changing and playing ---------------------------------------------------------------------------------------------
  goTo(step) {
    this.halt()
    this.view.step = Math.min(Math.max(step, 0), STEPS)
    this.draw()
    this.commit()
  }

  reset() {
    Object.assign(this.view, { nudge: -1 })
    this.lesson = new Lesson(this.data.setting)
    this.goTo(0)
  }

  nudge() {
    this.lesson.nudge((this.view.nudge = this.t))
    if (!this.playing) this.toggle()
  }

  rotate(event, turn) {
    if (!turn) return
    event.preventDefault()
    this.turn = { yaw: this.turn.yaw + turn[0], pitch: Math.min(Math.max(this.turn.pitch + turn[1], -1.5), 1.5) }
    this.draw()
  }

  commit() {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.send({ ...this.view }), COMMIT_MS)
  }

  get still() {
    return matchMedia("(prefers-reduced-motion: reduce)").matches
  }

  toggle() {
    if (this.playing) return this.halt(true)
    if (this.still) return this.goTo(this.view.step + STILL)
    Object.assign(this, { playing: this.view.step < STEPS, before: undefined, exact: this.view.step })
    this.draw()
  }

  next() {
    cancelAnimationFrame(this.request)
    if (this.visible) this.request = requestAnimationFrame((now) => this.frame(now))
  }

  frame(now) {
    if (this.playing) {
      this.exact += (Math.min(now - (this.before ?? now), 100) / 1000) * SPEEDS[this.view.speed] // a long gap is a stall
      this.before = now
      this.view.step = Math.min(Math.floor(this.exact), STEPS)
    }
    this.draw()
    if (this.playing && this.t === STEPS) this.halt(true)
  }

  // Stop within the frame; `told` says it aloud and tells Python where it stopped.
  halt(told = false) {
    if (!this.playing) return
    this.playing = false
    this.view.step = this.t
    cancelAnimationFrame(this.request)
    this.draw()
    if (!told) return
    const [a, b] = this.readings.map((reading) => fmt(reading.mean_cosine, 3))
    this.live.textContent = fill(this.texts.stopped, { t: this.t, a, b })
    this.commit()
  }

  see(visible) {
    this.visible = visible
    this.before = undefined
    if (visible && this.dial) this.draw()
    else cancelAnimationFrame(this.request)
  }
}
