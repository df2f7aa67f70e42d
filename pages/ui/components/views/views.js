// Two pictures on their way to their views: played operation by operation, with the distances moving along; the crop is
// dragged on the picture, a strength on the view. Pixels are computed here; every distance is Python's.

import { button, el, keyed, setAttr, setText, svg } from "../shared/dom.js"
import { clamp, fill, fmt } from "../shared/format.js"
import { mounting, Player } from "../shared/player.js"
import { progress, render } from "./picture.js"

const OPERATIONS_A_MS = 1 / 1600
const STOPS = 63 // of a strength; an odd number, so that none of them changes nothing
const NARROWEST = 2 // pixels of a crop made by hand
const CORNER = 0.16 // of the picture's edge: near enough to a corner to take it
const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }
const SIZES = { "+": 1, "=": 1, "-": -1 }

class Morph {
  constructor({ parentElement }) {
    this.root = el("div", { class: "figure views" })
    parentElement.append(this.root)
    this.at = 0
    this.player = new Player(this.root, { speed: "normal" }, (ms) => this.frame(ms))
  }

  stop() {
    this.player.stop()
    this.root.remove()
  }

  // A rerun of the page. Other views begin at the picture; the same ones, measured again after a hand was lifted, go on.
  update({ data, setStateValue }) {
    this.send = (hand) => setStateValue("hand", hand)
    if (this.held) return
    const given = JSON.stringify(data)
    if (given === this.given) return
    if (data.stamp !== this.data?.stamp) this.at = 0
    this.player.pause()
    Object.assign(this, { data, given, texts: data.texts, stale: false })
    this.build()
  }

  // -- building ---------------------------------------------------------------------------------------------------------
  build() {
    const { data, texts } = this
    const focus = this.root.getRootNode().activeElement?.dataset.focus
    this.root.lang = data.lang
    this.bare = data.hide.includes("controls")
    this.tops = {}
    for (const { moved } of data.views) for (const [way, values] of Object.entries(moved)) this.tops[kind(way)] = Math.max(this.tops[kind(way)] ?? 1e-9, ...values)
    this.panels = data.views.map((view, k) => new Panel(this, view, k))
    this.live = el("div", { class: "hidden", "aria-live": "polite" })
    this.root.replaceChildren(this.makeDial(), this.makeBare(), el("div", { class: "panels" }, ...this.panels.map((panel) => panel.node)), this.live)
    this.goTo(this.at)
    if (focus) this.root.querySelector(`[data-focus="${focus}"]`)?.focus()
  }

  makeDial() {
    const { texts } = this
    const play = this.player.button(texts, () => this.toggle())
    const act = (name, act) => button(`plain ${name}`, act, texts[name], { "data-focus": name })
    const [step, reset, restore] = [act("step", () => this.next(1)), act("reset", () => this.goTo(0)), act("restore", () => this.restore())]
    restore.hidden = this.data.hands.every((hand) => !Object.keys(hand).length)
    const range = el("input", { type: "range", class: "at", "data-focus": "at", min: 0, max: this.last, step: 1 / this.data.between, "aria-label": texts.position,
      oninput: () => this.goTo(Number(range.value)), onkeydown: (event) => void (event.key === " " && (event.preventDefault(), this.toggle())) })
    this.dial = { play, step, range }
    return el("div", { class: "dial", hidden: this.bare }, play.node, step, reset, restore, this.player.speeds(texts, () => {}), range)
  }

  // Without controls the figure itself is stepped by keys.
  makeBare() {
    keyed(this.root, this.texts.keys, this.bare ? { " ": () => this.toggle(), ArrowRight: () => this.next(1), ArrowLeft: () => this.next(-1), Home: () => this.goTo(0) } : null)
    return el("p", { class: "bare-line", hidden: !this.bare }, this.texts.keys)
  }

  get last() {
    return Math.max(...this.data.views.map(({ steps }) => steps.length))
  }

  // -- drawing and playing ------------------------------------------------------------------------------------------------
  draw() {
    const { play, step, range } = this.dial
    play.update()
    play.node.disabled = this.last === 0
    step.disabled = this.at >= this.last
    range.value = this.at
    for (const panel of this.panels) panel.draw(this.at)
    setAttr(range, "aria-valuetext", this.spoken)
    Object.assign(this.root.dataset, { at: this.at.toFixed(3), ready: 1, stale: this.stale ? 1 : 0 })
  }

  get spoken() {
    return this.panels.map((panel) => panel.spoken).join("; ")
  }

  goTo(at) {
    this.halt()
    this.at = clamp(at, 0, this.last)
    this.draw()
  }

  // The next keyframe, or the one before.
  next(by) {
    this.goTo(by > 0 ? Math.floor(this.at) + 1 : Math.ceil(this.at) - 1)
    this.tell()
  }

  toggle() {
    if (this.player.playing) return this.halt(true)
    if (this.at >= this.last) this.at = 0
    if (this.player.still) return this.next(1)
    this.player.play()
    this.draw()
  }

  frame(ms) {
    if (!this.player.playing) return
    this.at = Math.min(this.at + ms * OPERATIONS_A_MS, this.last)
    if (this.at === this.last) return this.halt(true)
    this.draw()
    this.player.ask()
  }

  // Stop within the frame; `told` says it aloud.
  halt(told = false) {
    if (!this.player.playing) return
    this.player.pause()
    this.draw()
    if (told) this.tell()
  }

  tell() {
    this.live.textContent = this.spoken
  }

  // -- by hand --------------------------------------------------------------------------------------------------------------
  // Something was set by hand: seen at once, and measured when the hand is lifted.
  touched() {
    this.halt()
    Object.assign(this, { held: true, stale: true })
    this.dial.range.max = this.last
    this.draw()
  }

  release() {
    if (!this.held) return
    this.player.later(() => {
      this.held = false
      this.tell()
      const hands = this.panels.map((panel) => panel.hand)
      this.stale = JSON.stringify(hands) !== JSON.stringify(this.data.hands)
      if (this.stale) this.send({ stamp: this.data.stamp, hands })
      else this.draw()
    })
  }

  restore() {
    this.send({ stamp: this.data.stamp, hands: [{}, {}] })
  }
}

// One view: its picture with the crop, what became of it, the steps, and how far it has moved.
class Panel {
  constructor(morph, view, number) {
    const { texts, data, bare } = morph
    Object.assign(this, { morph, texts, view, hand: { ...data.hands[number] }, at: 0 })
    this.picture = { ...view.picture, pixels: Uint8Array.from(atob(view.picture.pixels), (c) => c.charCodeAt(0)) }
    const { height, width } = this.picture
    const whole = canvas(width, height)
    paint(whole, render(this.picture, { box: [0, 0, height, width], flipped: false, amounts: [] }, height), height, width)
    this.shade = svg("path", { class: "shade", "fill-rule": "evenodd" })
    this.frame = svg("rect", { class: "frame" })
    this.corners = [0, 1, 2, 3].map(() => svg("circle", { class: "corner", r: width / 28 }))
    const overlay = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "overlay", role: "img", "data-focus": `crop${number}`, "aria-label": fill(texts.frame, { number: number + 1 }), ...(bare ? {} : {
      tabindex: "0", onpointerdown: (event) => this.grab(event), onpointermove: (event) => this.pull(event), onpointerup: () => this.drop(), onpointercancel: () => this.drop(), onkeydown: (event) => this.press(event) }) },
    this.shade, this.frame, ...(bare ? [] : this.corners))
    this.canvas = canvas(data.size, data.size, { role: "img", ...(bare ? {} : {
      onpointerdown: (event) => this.strength && this.canvas.setPointerCapture(event.pointerId),
      onpointermove: (event) => event.buttons && this.strength && this.set(this.value + (event.movementX / this.canvas.clientWidth) * (this.limits[1] - this.limits[0])),
      onpointerup: () => this.morph.release() }) })
    this.range = el("input", { type: "range", "data-focus": `strength${number}`, oninput: () => this.set(Number(this.range.value)), onchange: () => this.morph.release() })
    this.amount = el("label", { class: "strength" }, el("span", {}, texts.strength), this.range)
    this.said = el("p", { class: "said" })
    this.beats = el("div", { class: "beats" })
    this.meters = data.ways.map((way) => meter(way))
    this.makeBeats()
    this.node = el("section", { class: "box", "data-view": number + 1 }, el("h3", {}, fill(texts.view, { number: number + 1 })),
      el("div", { class: "pair" }, el("figure", {}, el("div", { class: "stack" }, whole, overlay), el("figcaption", {}, texts.picture)), el("figure", {}, this.canvas, el("figcaption", {}, texts.now))),
      this.said, this.amount, this.beats, el("div", { class: "meters" }, el("small", {}, texts.moved), ...this.meters.map((one) => one.node)))
  }

  // A small picture a step, to go there.
  makeBeats() {
    const { size } = this.morph.data
    const names = [this.texts.original, ...this.view.steps.map((step) => step.label)]
    this.buttons = names.map((name, k) => {
      const small = canvas(size, size, { "aria-hidden": "true" })
      paint(small, render(this.picture, progress(this.view.steps, k, this.picture), size), size, size)
      const go = this.morph.bare ? {} : { type: "button", onclick: () => this.morph.goTo(k) }
      return el(this.morph.bare ? "div" : "button", { class: "beat", ...go }, small, `${k} ${name}`)
    })
    this.beats.replaceChildren(...this.buttons)
  }

  draw(at) {
    const { size, between } = this.morph.data
    this.at = Math.min(at, this.view.steps.length)
    const [now, share] = [Math.max(Math.ceil(this.at), 0), this.at - Math.floor(this.at)]
    this.step = this.view.steps[now - 1]
    const done = progress(this.view.steps, this.at, this.picture)
    paint(this.canvas, render(this.picture, done, size), size, size)
    // A mirror turns around its middle, and is a mirror when half of it is over.
    const turn = this.step?.operation === "flip" && share ? Math.cos(Math.PI * share) : 1
    this.canvas.style.transform = turn === 1 ? "" : `scaleX(${turn.toFixed(3)})`
    this.drawFrame(done.box)
    this.drawStrength()
    const name = this.step?.label ?? this.texts.original
    this.spoken = `${fill(this.texts.view, { number: this.node?.dataset.view ?? "" })}: ${now} ${name} ${this.drawn()}`
    this.said.replaceChildren(el("b", {}, `${now} ${name}`), ` ${this.drawn()}`, el("span", {}, this.step?.removed ?? this.texts.untouched))
    setAttr(this.canvas, "aria-label", this.spoken)
    this.buttons.forEach((button, k) => setAttr(button, "aria-current", String(k === now)))
    const row = Math.floor(this.at * between + 1e-9)
    this.meters.forEach(({ id, update }) => update(this.morph.stale ? null : this.view.moved[id][row], this.morph.tops[kind(id)]))
  }

  drawFrame([top, left, height, width]) {
    const edge = this.picture
    setAttr(this.shade, "d", `M0 0H${edge.width}V${edge.height}H0zM${left} ${top}h${width}v${height}h${-width}z`)
    for (const [name, value] of Object.entries({ x: left, y: top, width, height })) setAttr(this.frame, name, value.toFixed(2))
    this.corners.forEach((corner, k) => {
      setAttr(corner, "cx", (left + (k % 2) * width).toFixed(2))
      setAttr(corner, "cy", (top + (k >> 1) * height).toFixed(2))
    })
  }

  drawStrength() {
    this.limits = this.morph.data.limits[this.step?.operation]
    this.strength = Boolean(this.limits) && !this.morph.bare
    this.amount.hidden = !this.strength
    this.canvas.classList.toggle("dragged", this.strength)
    if (!this.strength) return
    const [low, high] = this.limits
    for (const [name, value] of Object.entries({ min: low, max: high, step: (high - low) / STOPS })) setAttr(this.range, name, String(value))
    this.range.value = this.value = this.step.drawn[0]
    setAttr(this.range, "aria-valuetext", this.drawn())
    setAttr(this.range, "aria-label", `${this.texts.strength}: ${this.step.label}`)
  }

  // What was drawn for the present step, in words.
  drawn() {
    const { texts, step } = this
    if (!step) return ""
    const [a, b, c, d] = step.drawn
    if (step.operation === "crop") return fill(texts.crop, { top: a, left: b, height: c, width: d })
    if (step.operation === "hue") return fill(texts.hue, { degrees: signed(360 * a) })
    if (step.operation === "blur") return fill(texts.blur, { sigma: a.toFixed(2) })
    return step.drawn.length ? `× ${a.toFixed(2)}` : ""
  }

  // -- by hand ------------------------------------------------------------------------------------------------------------
  set(amount) {
    const [low, high] = this.limits
    const stop = low + (Math.round(((clamp(amount, low, high) - low) / (high - low)) * STOPS) / STOPS) * (high - low)
    this.value = clamp(amount, low, high)
    this.put(this.step, [stop])
    this.morph.at = Math.max(this.morph.at, Math.ceil(this.at)) // seen whole
    const kept = this.value
    this.morph.touched()
    this.value = kept // between two stops a hand goes on from where it is
  }

  put(step, drawn) {
    step.drawn = drawn
    this.hand[step.operation] = drawn
  }

  get box() {
    const { height, width } = this.picture
    return this.view.steps.find((step) => step.operation === "crop")?.drawn ?? [0, 0, height, width]
  }

  set box([top, left, tall, wide]) {
    const { height, width } = this.picture
    ;[tall, wide] = [clamp(Math.round(tall), NARROWEST, height), clamp(Math.round(wide), NARROWEST, width)]
    const drawn = [clamp(Math.round(top), 0, height - tall), clamp(Math.round(left), 0, width - wide), tall, wide]
    let step = this.view.steps.find(({ operation }) => operation === "crop")
    if (!step) this.view.steps.unshift((step = { ...this.morph.data.crop, drawn }))
    this.put(step, drawn)
    if (this.buttons.length !== this.view.steps.length + 1) this.makeBeats()
    this.morph.at = 1 // the crop as a whole, and nothing else
    this.morph.touched()
  }

  place(event) {
    const shown = event.currentTarget.getBoundingClientRect()
    return [((event.clientY - shown.top) / shown.height) * this.picture.height, ((event.clientX - shown.left) / shown.width) * this.picture.width]
  }

  // A corner is pulled against the one opposite; inside, the whole crop is moved.
  grab(event) {
    const [y, x] = this.place(event)
    const [top, left, tall, wide] = this.box
    const near = CORNER * this.picture.width
    const corner = [[top, left], [top, left + wide], [top + tall, left], [top + tall, left + wide]].findIndex(([v, h]) => Math.hypot(v - y, h - x) < near)
    const inside = y > top && y < top + tall && x > left && x < left + wide
    if (corner < 0 && !inside) return
    event.currentTarget.setPointerCapture(event.pointerId)
    this.grabbed = { corner, from: [y, x], box: [top, left, tall, wide] }
  }

  pull(event) {
    if (!this.grabbed) return
    const { corner, from, box: [top, left, tall, wide] } = this.grabbed
    const [down, right] = this.place(event).map((v, k) => v - from[k])
    if (corner < 0) return void (this.box = [top + down, left + right, tall, wide])
    const [low, east] = [corner >> 1, corner % 2]
    const [height, width] = [tall + (low ? down : -down), wide + (east ? right : -right)].map((v) => Math.max(v, NARROWEST))
    this.box = [low ? top : top + tall - height, east ? left : left + wide - width, height, width]
  }

  drop() {
    this.grabbed = undefined
    this.morph.release()
  }

  press(event) {
    const [move, size] = [MOVES[event.key], SIZES[event.key]]
    if (!move && !size) return
    event.preventDefault()
    const [top, left, tall, wide] = this.box
    this.box = move ? [top + move[0], left + move[1], tall, wide] : [top, left, tall + size, wide + size]
    this.morph.release()
  }
}

const kind = (way) => (way === "pixels" ? "pixels" : "cosine")

const signed = (degrees) => `${degrees < 0 ? "−" : "+"}${Math.abs(degrees).toFixed(0)}`

function meter({ id, label }) {
  const [bar, value] = [el("i", { class: "bar" }), el("b", {})]
  const node = el("div", { class: "meter", "data-way": id }, el("span", {}, label), value, el("span", { class: "track" }, bar))
  const update = (x, top) => {
    setText(value, x === null ? "…" : fmt(x, 3))
    if (x !== null) setAttr(bar, "style", `width:${((100 * x) / top).toFixed(1)}%`)
  }
  return { id, node, update }
}

function canvas(width, height, attributes = {}) {
  return el("canvas", { width, height, ...attributes })
}

function paint(node, x, height, width) {
  const image = new ImageData(width, height)
  for (let i = 0; i < height * width; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = Math.round(255 * x[3 * i + c])
    image.data[4 * i + 3] = 255
  }
  node.getContext("2d").putImageData(image, 0, 0)
}

export default mounting(Morph)
