// The component: pointer, keyboard, hovering and choosing. State goes to Python on release only.

import { clamp } from "../shared/format.js"
import { mounting } from "../shared/player.js"
import { CloudView } from "./view.js"

class Cloud extends CloudView {
  constructor(component) {
    super(component);
    this.listen();
  }

  listen() {
    const over = this.over;
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.stage);
    over.onpointerdown = (e) => this.down(e);
    over.onpointermove = (e) => this.move(e);
    over.onpointerup = (e) => this.up(e);
    over.onpointercancel = (e) => this.cancel(e);
    over.onpointerleave = () => this.hover(-1);
    over.onkeydown = (e) => this.key(e);
    over.onblur = () => this.hover(-1);
    over.addEventListener("wheel", (e) => this.wheel(e), { passive: false });
    for (const b of this.bar.querySelectorAll("button")) b.onclick = () => (b.dataset.mode ? this.setMode(b.dataset.mode) : this.act(b.dataset.do));
  }

  // -- hovering and choosing ------------------------------------------------------------------------------------------
  hover(i, speak = false) {
    if (i === this.hovered) return;
    this.hovered = i;
    this.card.hidden = i < 0;
    if (i >= 0) this.fillCard(i, speak);
    this.drawMarks();
  }

  fillCard(i, speak) {
    const { card, scene } = this, [name, note] = this.describe(i), picture = card.querySelector("img");
    card.querySelector(".name").textContent = name;
    card.querySelector(".note").textContent = note;
    picture.hidden = !this.data.thumbs;
    if (this.data.thumbs) picture.src = this.thumb(i, 96);
    const s = scene.project(), x = s[3 * i], y = s[3 * i + 1], h = card.offsetHeight;
    const left = x + 16 + 112 > scene.width ? x - 16 - 112 : x + 16;
    card.style.transform = `translate(${Math.max(2, left)}px, ${clamp(y - h / 2, 2, Math.max(2, scene.height - h - 4))}px)`;
    if (speak) this.spoken.textContent = `${name} ${note}`;
  }

  choose(rows, e) {
    const chosen = this.scene.chosen;
    if (!e.shiftKey && !e.altKey) chosen.fill(0);
    for (const i of rows) chosen[i] = e.altKey ? 0 : 1;
    this.paintState();
    this.tellSelection();
  }

  tellSelection() {
    this.component.setStateValue("selection", { map: this.data.map, bits: this.scene.count ? this.scene.bits() : "" });
    this.spoken.textContent = this.data.text.chosen.replace("{n}", this.scene.count);
  }

  pickPoint(i) {
    if (i === this.picked) return;
    this.picked = i;
    this.component.setStateValue("picked", { map: this.data.map, row: i });
    this.drawMarks();
  }

  setMode(mode) {
    this.mode = this.over.dataset.mode = mode;
    for (const b of this.bar.querySelectorAll("[data-mode]")) b.setAttribute("aria-pressed", String(b.dataset.mode === mode));
  }

  act(name) {
    if (!this.scene) return;
    if (name === "in" || name === "out") this.scene.zoomBy(name === "in" ? 1.5 : 1 / 1.5);
    if (name === "home") this.scene.home();
    if (name === "pictures") this.pressed("pictures", (this.showPictures = !this.showPictures));
    if (name === "clear") this.clear();
    this.draw();
  }

  clear() {
    const had = this.scene.count;
    this.scene.chosen.fill(0);
    this.paintState();
    if (had) this.tellSelection();
    this.pickPoint(-1);
    this.hover(-1);
  }

  // -- pointer --------------------------------------------------------------------------------------------------------
  where(e) {
    const box = this.over.getBoundingClientRect();
    return [e.clientX - box.left, e.clientY - box.top];
  }

  down(e) {
    if (!this.scene || e.button > 1) return;
    this.over.focus({ preventScroll: true });
    this.over.setPointerCapture(e.pointerId);
    this.pointers.set(e.pointerId, this.where(e));
    this.start = this.last = this.where(e);
    this.dragging = false;
    this.outline = null;
  }

  move(e) {
    if (!this.scene) return;
    const at = this.where(e);
    if (!this.pointers.has(e.pointerId)) return this.hover(this.scene.pick(...at));
    if (this.pointers.size === 2) return this.pinch(e, at);
    this.pointers.set(e.pointerId, at);
    if (!this.dragging && Math.hypot(at[0] - this.start[0], at[1] - this.start[1]) < 4) return;
    this.dragging = true;
    this.over.classList.add("dragging");
    this.hover(-1);
    this.drag(e, at);
    this.last = at;
    this.draw();
  }

  drag(e, at) {
    const [dx, dy] = [at[0] - this.last[0], at[1] - this.last[1]], [x0, y0] = this.start;
    if (this.mode === "move") this.scene.dims === 3 && !e.shiftKey ? this.scene.turnBy(dx, dy) : this.scene.panBy(dx, dy);
    else if (this.mode === "box") this.outline = [[x0, y0], [at[0], y0], at, [x0, at[1]]];
    else (this.outline ??= [this.start]).push(at);
  }

  pinch(e, at) {
    const other = [...this.pointers].find(([id]) => id !== e.pointerId)[1], before = this.pointers.get(e.pointerId);
    const far = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]);
    this.scene.zoomBy(far(at) / Math.max(1, far(before)), (at[0] + other[0]) / 2, (at[1] + other[1]) / 2);
    this.scene.panBy((at[0] - before[0]) / 2, (at[1] - before[1]) / 2);
    this.pointers.set(e.pointerId, at);
    this.dragging = true;
    this.draw();
  }

  up(e) {
    if (!this.pointers.delete(e.pointerId)) return;
    this.over.classList.remove("dragging");
    const outline = this.outline;
    this.outline = null;
    if (outline) this.choose(this.scene.inside(outline), e);
    else if (!this.dragging) this.click(e);
    if (!this.pointers.size) this.dragging = false;
    this.draw();
  }

  cancel(e) {
    this.pointers.delete(e.pointerId);
    this.outline = null;
    this.dragging = false;
    this.draw();
  }

  click(e) {
    const i = this.scene.pick(...this.where(e));
    if (i >= 0 && (e.shiftKey || e.altKey)) this.choose([i], e);
    else this.pickPoint(i);
  }

  // The page keeps its wheel until the map has been clicked or control is held.
  wheel(e) {
    if (!this.scene || !(e.ctrlKey || this.over.matches(":focus"))) return;
    e.preventDefault();
    this.scene.zoomBy(Math.exp(-clamp(e.deltaY, -200, 200) * 0.0025), ...this.where(e));
    this.hover(-1);
    this.draw();
  }

  // -- keyboard -------------------------------------------------------------------------------------------------------
  key(e) {
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
    const keys = { "+": "in", "=": "in", "-": "out", 0: "home", Escape: "clear" };
    if (!this.scene || e.metaKey || e.ctrlKey || (!arrow && !keys[e.key] && e.key !== "Enter" && e.key !== " ")) return;
    e.preventDefault();
    if (arrow && e.shiftKey) this.hover(this.scene.next(this.hovered, ...arrow), true);
    else if (arrow && this.scene.dims === 3) this.scene.turnBy(30 * arrow[0], 30 * arrow[1]);
    else if (arrow) this.scene.panBy(-40 * arrow[0], -40 * arrow[1]);
    else if (keys[e.key]) this.act(keys[e.key]);
    else if (this.hovered >= 0) this.pickPoint(this.hovered);
    this.draw();
  }
}

export default mounting(Cloud)
