// What every figure that plays does alike: it moves only while it can be seen, at one of three speeds; it is told to Python
// after the hand was lifted; Streamlit mounts it once and then hands it new data.

import { el, setAttr, setText } from "./dom.js"

const SPEEDS = { slow: 1 / 4, normal: 1, fast: 4 }
const STALL_MS = 100 // a longer gap is a stall, not time that was seen
const COMMIT_MS = 250

// Streamlit's way in, called again whenever the data changed. `Figure` has update(component) and stop().
export function mounting(Figure) {
  const mounted = new WeakMap()
  return (component) => {
    const at = component.parentElement
    if (!mounted.has(at)) mounted.set(at, new Figure(component))
    mounted.get(at).update(component)
    return () => {
      mounted.get(at)?.stop()
      mounted.delete(at)
    }
  }
}

export class Player {
  // view.speed: a name of SPEEDS; frame(ms) draws one frame, ms being the time played since the last one.
  constructor(root, view, frame) {
    Object.assign(this, { view, frame, playing: false, wanted: false, seen: true })
    this.reduced = matchMedia("(prefers-reduced-motion: reduce)")
    this.observer = new IntersectionObserver(([entry]) => (this.seen = entry.isIntersecting, this.wake()))
    this.observer.observe(root)
    this.wake = this.wake.bind(this)
    document.addEventListener("visibilitychange", this.wake)
  }

  // Where motion is unwelcome, Play is a step.
  get still() {
    return this.reduced.matches
  }

  play() {
    Object.assign(this, { playing: true, before: undefined })
    this.ask()
  }

  pause() {
    this.playing = this.wanted = false
    cancelAnimationFrame(this.request)
  }

  // Ask for one frame; it comes when the figure can be seen.
  ask() {
    this.wanted = true
    cancelAnimationFrame(this.request)
    if (this.seen && !document.hidden) this.request = requestAnimationFrame((now) => this.run(now))
  }

  wake() {
    this.before = undefined
    if (this.wanted) this.ask()
  }

  run(now) {
    const passed = Math.min(now - (this.before ?? now), STALL_MS)
    Object.assign(this, { before: now, wanted: false })
    this.frame(passed * SPEEDS[this.view.speed])
  }

  later(tell) {
    clearTimeout(this.timer)
    this.timer = setTimeout(tell, COMMIT_MS)
  }

  stop() {
    this.pause()
    clearTimeout(this.timer)
    this.observer.disconnect()
    document.removeEventListener("visibilitychange", this.wake)
  }

  // -- what a hand holds --------------------------------------------------------------------------------------------------
  button(texts, toggle) {
    const node = el("button", { type: "button", class: "play", onclick: toggle })
    const update = () => {
      setText(node, this.playing ? `❚❚ ${texts.pause}` : this.still ? `▸ ${texts.still}` : `▶ ${texts.play}`)
      setAttr(node, "aria-pressed", String(this.playing))
    }
    return { node, update }
  }

  speeds(texts, commit) {
    const options = Object.keys(SPEEDS).map((name) => el("option", { value: name, selected: name === this.view.speed }, texts[name]))
    const list = el("select", { class: "speed", onchange: () => (this.view.speed = list.value, commit()) }, ...options)
    return el("label", { class: "line-of" }, texts.speed, list)
  }
}
