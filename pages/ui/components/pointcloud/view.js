// What a point cloud looks like: data and theme in, points, legend, pictures and marks out. No input is handled here.

import { el, svg } from "../shared/dom.js"
import { CIVIDIS } from "../shared/format.js"
import { GlPainter, painterFor } from "./paint.js"
import { CHOSEN, fetched, HIDDEN, hueOf, PALETTE, parsePoints, Scene, shapeOf, SHAPES, UNKNOWN } from "./scene.js"

const PICTURE = 40, PICTURES_MOST = 220, KEPT = 900;
const PATHS = {
  circle: "M7 1.5a5.5 5.5 0 1 0 .01 0z", square: "M2 2h10v10H2z", up: "M7 1.5 12.8 12H1.2z",
  diamond: "M7 .5 13 7l-6 6.5L1 7z", plus: "M5 1h4v4h4v4H9v4H5V9H1V5h4z", down: "M7 12.5 1.2 2h11.6z",
};

export class CloudView {
  constructor({ parentElement }) {
    this.root = parentElement.querySelector(".cloud");
    for (const name of ["bar", "stage", "dots", "over", "card", "message", "legend", "hint", "spoken"]) this[name] = this.root.querySelector("." + name);
    this.brush = this.over.getContext("2d");
    this.mode = "move";
    this.hovered = this.picked = -1;
    this.showPictures = true;
    this.pictures = new Map();
    this.pointers = new Map();
    this.root.cloud = this; // for tests and the curious: the instance hangs on its own element only
  }

  // -- life -----------------------------------------------------------------------------------------------------------
  async update(component) {
    const data = component.data;
    this.component = component;
    this.data = data;
    this.readTheme();
    this.root.style.setProperty("--cloud-height", data.height + "px");
    this.root.lang = data.lang;
    this.writeTexts(data.text);
    try {
      await this.follow(data);
    } catch (error) {
      this.forget();
      this.message.hidden = false;
      this.message.textContent = `${data.text.failed} ${error.message}`;
    }
  }

  async follow(data) {
    if (this.pointsUrl !== data.points) {
      this.root.dataset.ready = "false";
      this.pointsUrl = data.points;
      this.valuesUrl = undefined;
      const buffer = await fetched(data.points);
      if (this.pointsUrl !== data.points || this.dead) return; // another map was asked for meanwhile
      this.open(parsePoints(buffer), data);
    } else if (!this.scene) return;
    if (this.valuesUrl !== data.values) await this.recolour(data);
    this.message.hidden = true;
    this.buildLegend();
    this.paintState();
    this.root.dataset.ready = "true";
  }

  // What could not be loaded is asked for again, and the points of another map are not shown in its place.
  forget() {
    this.valuesUrl = undefined;
    if (this.root.dataset.ready !== "false") return;
    this.pointsUrl = undefined;
    this.scene = null;
    this.painter?.free();
    this.legend.replaceChildren();
  }

  open(points, data) {
    this.scene = new Scene(points);
    this.pictures.clear(); // of another map, perhaps of another run
    this.chosenPictures = null;
    this.hovered = -1;
    this.picked = data.start.picked;
    if (data.start.bits) this.scene.restore(data.start.bits);
    this.freshPainter();
    this.root.dataset.painter = this.painter instanceof GlPainter ? "webgl" : "pixels";
    this.scene.colourByClass();
    this.resize();
    this.painter.load(this.scene);
  }

  // A canvas keeps the kind of its first context: another map may want another kind, so it gets a new canvas.
  freshPainter() {
    this.painter?.free();
    const canvas = this.dots.cloneNode();
    this.dots.replaceWith(canvas);
    this.dots = canvas;
    this.painter = painterFor(canvas, this.scene.n);
    canvas.addEventListener("webglcontextlost", (e) => e.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => { this.painter.link(); this.painter.load(this.scene); this.draw(); });
  }

  async recolour(data) {
    this.valuesUrl = data.values;
    if (data.values) {
      const values = new Float32Array(await fetched(data.values));
      if (this.valuesUrl !== data.values || this.dead) return;
      this.scene.colourByValue(values);
    } else this.scene.colourByClass();
    this.painter.paintLook(this.scene);
  }

  stop() {
    this.dead = true;
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
    this.painter?.free();
  }

  // -- looks ----------------------------------------------------------------------------------------------------------
  readTheme() {
    const style = getComputedStyle(this.root), probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const read = (name) => { probe.fillStyle = style.getPropertyValue(name).trim() || "#888"; probe.fillRect(0, 0, 1, 1); return [...probe.getImageData(0, 0, 1, 1).data.slice(0, 3)]; };
    const back = read("--st-background-color");
    this.theme = { back, text: read("--st-text-color"), main: read("--st-primary-color"), dark: back[0] + back[1] + back[2] < 384 };
  }

  ink(name, alpha = 1) {
    return `rgb(${this.theme[name].join(" ")} / ${alpha})`;
  }

  writeTexts(text) {
    this.bar.setAttribute("aria-label", text.tools);
    for (const b of this.bar.querySelectorAll("button")) {
      const name = b.dataset.mode ?? b.dataset.do;
      b.title = text[name];
      b.setAttribute("aria-label", text[name]);
    }
    this.over.setAttribute("aria-label", this.data.finding);
    this.legend.setAttribute("aria-label", text.legend);
    this.hint.textContent = this.data.dims === 3 ? text.hint3 : text.hint2;
    this.setMode(this.mode);
    this.pressed("pictures", this.showPictures);
  }

  pressed(name, on) {
    this.bar.querySelector(`[data-do="${name}"]`).setAttribute("aria-pressed", String(on));
  }

  buildLegend() {
    const { data, scene } = this, tick = (text) => el("span", { class: "tick" }, text);
    if (scene.values) {
      const [low, high] = scene.range.map((x) => tick(Number(x.toPrecision(3))));
      const ramp = el("span", { class: "ramp", style: `background:linear-gradient(to right,${CIVIDIS})` });
      return this.legend.replaceChildren(el("div", { class: "title" }, data.valueName), low, ramp, high);
    }
    const classes = scene.label ? [...new Set(scene.label)].sort((a, b) => a - b) : [];
    this.legend.replaceChildren(...classes.map((c) => this.legendButton(c)), ...(classes.length > 48 ? [tick(data.text.repeat)] : []));
  }

  legendButton(c) {
    const mark = svg("svg", { viewBox: "0 0 14 14" }, svg("path", {
      d: PATHS[c < 0 ? "circle" : SHAPES[shapeOf(c)]], fill: c < 0 ? `rgb(${UNKNOWN})` : PALETTE[hueOf(c)], stroke: this.ink("text", 0.55),
    }));
    return el("button", {
      type: "button", title: this.data.text.isolate, "aria-pressed": String(!this.scene.hiddenClasses.has(c)),
      onclick: (e) => this.toggleClass(c, e.shiftKey || e.ctrlKey || e.metaKey),
    }, mark, this.className(c));
  }

  // A click shows one class alone, or all again; with shift or control it hides or shows this one.
  toggleClass(c, single) {
    const hidden = this.scene.hiddenClasses, all = new Set(this.scene.label);
    if (single) hidden.has(c) ? hidden.delete(c) : hidden.add(c);
    else if (hidden.size === all.size - 1 && !hidden.has(c)) hidden.clear();
    else this.scene.hiddenClasses = new Set([...all].filter((other) => other !== c));
    const at = [...all].sort((a, b) => a - b).indexOf(c);
    this.buildLegend();
    this.legend.querySelectorAll("button")[at].focus();
    this.paintState();
  }

  markOf(c) {
    return `${PALETTE[hueOf(c)]} ${SHAPES[shapeOf(c)]}`;
  }

  className(c) {
    return c < 0 ? this.data.text.unknown : this.data.names[c] ?? `${this.data.text.class} ${c}`;
  }

  describe(i) {
    const { scene, data } = this, parts = [`${data.text.image} ${scene.index[i]}`];
    if (scene.values) parts.push(`${data.valueName}: ${Number(scene.values[i].toPrecision(4))}`);
    return [scene.label ? this.className(scene.label[i]) : "", parts.join(" · ")];
  }

  // -- drawing --------------------------------------------------------------------------------------------------------
  resize() {
    if (!this.scene) return;
    const { clientWidth: w, clientHeight: h } = this.stage;
    if (!w || !h) return;
    this.dpr = Math.min(window.devicePixelRatio || 1, 2);
    for (const canvas of [this.dots, this.over]) Object.assign(canvas, { width: Math.round(w * this.dpr), height: Math.round(h * this.dpr) });
    Object.assign(this.scene, { width: w, height: h });
    this.scene.moved();
    this.draw();
  }

  paintState() {
    this.scene.refresh();
    this.painter.paintState(this.scene);
    this.draw();
  }

  draw() {
    this.staleDots = true;
    this.drawMarks();
  }

  // Marks lie on their own canvas: what is hovered or picked changes without painting every point again.
  drawMarks() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      if (this.dead || !this.scene || !this.dpr) return;
      if (this.staleDots) this.painter.draw(this.scene, this.theme, this.dpr);
      this.staleDots = false;
      this.drawOver();
    });
  }

  drawOver() {
    const { brush, scene, dpr } = this;
    brush.setTransform(dpr, 0, 0, dpr, 0, 0);
    brush.clearRect(0, 0, scene.width, scene.height);
    const pictures = this.showPictures && this.data.thumbs;
    if (pictures || this.picked >= 0 || this.hovered >= 0) scene.project();
    if (pictures) this.drawPictures();
    this.drawLinks();
    if (this.picked >= 0) this.ring(this.picked, 9, 3);
    if (this.hovered >= 0) this.ring(this.hovered, 7, 2);
    if (this.outline) this.drawOutline();
  }

  // While the view turns in 3-D the choice of pictures rests, so that they move with their points and do not flicker.
  drawPictures() {
    const { brush, scene } = this, s = scene.screen, half = PICTURE / 2;
    if (!this.dragging || !this.chosenPictures) this.chosenPictures = scene.pictured(PICTURE + 4, PICTURES_MOST);
    for (const i of this.chosenPictures) {
      const image = this.pictureOf(i), x = s[3 * i], y = s[3 * i + 1];
      if (!image?.complete || !image.naturalWidth || scene.state[i] === HIDDEN) continue;
      brush.drawImage(image, x - half, y - half, PICTURE, PICTURE);
      brush.lineWidth = scene.state[i] === CHOSEN ? 4 : 2;
      brush.strokeStyle = scene.colourOf(i);
      brush.strokeRect(x - half, y - half, PICTURE, PICTURE);
    }
  }

  pictureOf(i) {
    let image = this.pictures.get(i);
    if (!image) {
      image = new Image();
      image.onload = () => this.drawMarks();
      image.src = this.thumb(i, 48);
      this.pictures.set(i, image);
      if (this.pictures.size > KEPT) this.pictures.delete(this.pictures.keys().next().value);
    }
    return image;
  }

  thumb(i, size) {
    return new URL(this.data.thumbs.replace("{i}", this.scene.index[i]) + `&size=${size}`, document.baseURI).href;
  }

  drawLinks() {
    const { brush, scene } = this, s = scene.screen;
    if (this.picked < 0 || this.data.links.from !== this.picked) return;
    brush.strokeStyle = this.ink("text", 0.75);
    brush.lineWidth = 1.5;
    brush.beginPath();
    for (const j of this.data.links.to) {
      brush.moveTo(s[3 * this.picked], s[3 * this.picked + 1]);
      brush.lineTo(s[3 * j], s[3 * j + 1]);
    }
    brush.stroke();
  }

  ring(i, radius, width) {
    const { brush, scene } = this, x = scene.screen[3 * i], y = scene.screen[3 * i + 1];
    for (const [name, w] of [["back", width + 2], ["text", width]]) {
      brush.strokeStyle = this.ink(name);
      brush.lineWidth = w;
      brush.beginPath();
      brush.arc(x, y, Math.max(radius, scene.radius + 4), 0, 7);
      brush.stroke();
    }
  }

  drawOutline() {
    const { brush } = this;
    brush.beginPath();
    this.outline.forEach(([x, y], k) => (k ? brush.lineTo(x, y) : brush.moveTo(x, y)));
    brush.closePath();
    brush.fillStyle = this.ink("main", 0.15);
    brush.fill();
    brush.setLineDash([5, 4]);
    brush.lineWidth = 1.5;
    brush.strokeStyle = this.ink("main");
    brush.stroke();
    brush.setLineDash([]);
  }
}
