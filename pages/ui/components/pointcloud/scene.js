// What is shown and from where: the point buffer, colours and shapes, the camera, and points on the screen.
// World coordinates run over [-1, 1] on the map's longest axis. Screen coordinates are CSS pixels.

import { cividis, clamp, rgb } from "../shared/format.js"

export const PALETTE = ["#4477AA", "#EE7733", "#228833", "#AA3377", "#66CCEE", "#CCBB44", "#EE6677", "#888888"];
export const SHAPES = ["circle", "square", "up", "diamond", "plus", "down"];
// Hue and shape step together: 24 classes before a pair could return, then the shape is shifted for 24 more.
export const hueOf = (c) => c % PALETTE.length;
export const shapeOf = (c) => (c + Math.floor(c / 24)) % SHAPES.length;
export const UNKNOWN = [140, 140, 140];
export const EYE = 3.2; // distance of the eye in 3-D, in world units
export const HIDDEN = 0, DIM = 1, PLAIN = 2, CHOSEN = 3;

export async function fetched(url) {
  const response = await fetch(new URL(url, document.baseURI));
  if (!response.ok) throw new Error(await response.text());
  return response.arrayBuffer();
}

export function parsePoints(buffer) {
  const head = new DataView(buffer);
  if (head.getUint32(0, false) !== 0x50545331) throw new Error("unknown point format");
  const n = head.getUint32(4, true), dims = head.getUint32(8, true);
  let at = 16;
  const index = new Uint32Array(buffer.slice(at, (at += 4 * n)));
  const raw = new Uint16Array(buffer.slice(at, (at += 2 * n * dims)));
  const label = head.getUint32(12, true) ? new Int16Array(buffer.slice(at)) : null;
  const at3 = new Float32Array(3 * n);
  for (let i = 0; i < n; i++) for (let k = 0; k < dims; k++) at3[3 * i + k] = (raw[i * dims + k] / 65535) * 2 - 1;
  return { n, dims, index, raw, label, at3 };
}

export class Scene {
  constructor(points) {
    Object.assign(this, points);
    this.look = new Uint8Array(4 * this.n); // r, g, b, shape
    this.state = new Uint8Array(this.n).fill(PLAIN);
    this.chosen = new Uint8Array(this.n);
    this.hiddenClasses = new Set();
    this.values = null;
    this.screen = new Float32Array(3 * this.n); // x, y, depth
    this.width = this.height = 1;
    this.extent = this.dims === 3 ? [2.8, 2.8] : [0, 1].map((axis) => this.span(axis) * 1.1);
    this.home();
  }

  // How much of the world the window must hold along one axis; never nothing, where all points are one.
  span(axis) {
    let most = 0.05;
    for (let k = axis; k < this.at3.length; k += 3) most = Math.max(most, Math.abs(this.at3[k]));
    return 2 * most;
  }

  home() {
    this.center = [0, 0, 0];
    this.zoom = 1;
    this.yaw = this.dims === 3 ? 0.6 : 0;
    this.pitch = this.dims === 3 ? 0.35 : 0;
    this.shift = [0, 0];
    this.moved();
  }

  moved() {
    this.stale = true;
  }

  get scale() {
    const [w, h] = this.extent;
    return this.zoom * Math.min(this.width / w, this.height / h);
  }

  get radius() {
    const base = this.n <= 500 ? 5 : this.n <= 3000 ? 4 : this.n <= 20000 ? 3 : 2;
    return base * Math.min(2.2, Math.pow(this.zoom, 0.25));
  }

  rotation() {
    const [cy, sy, cp, sp] = [Math.cos(this.yaw), Math.sin(this.yaw), Math.cos(this.pitch), Math.sin(this.pitch)];
    return this.dims === 3 ? [cy, 0, sy, sp * sy, cp, -sp * cy, -cp * sy, sp, cp * cy] : [1, 0, 0, 0, 1, 0, 0, 0, 1]; // rows
  }

  // -- colours ------------------------------------------------------------------------------------------------------
  colourByClass() {
    this.values = null;
    for (let i = 0; i < this.n; i++) {
      const c = this.label ? this.label[i] : 0;
      this.look.set(c < 0 ? UNKNOWN : rgb(PALETTE[hueOf(c)]), 4 * i);
      this.look[4 * i + 3] = c < 0 ? 0 : shapeOf(c);
    }
  }

  colourByValue(values) {
    let low = Infinity, high = -Infinity;
    for (const v of values) if (Number.isFinite(v)) { low = Math.min(low, v); high = Math.max(high, v); }
    const lut = Array.from({ length: 256 }, (_, i) => cividis(i / 255));
    for (let i = 0; i < this.n; i++) {
      const v = values[i], share = high > low ? (v - low) / (high - low) : 0.5;
      this.look.set(Number.isFinite(v) ? lut[Math.round(255 * share)] : UNKNOWN, 4 * i);
      this.look[4 * i + 3] = this.label && this.label[i] >= 0 ? shapeOf(this.label[i]) : 0;
    }
    this.values = values;
    this.range = [low, high];
  }

  colourOf(i) {
    return `rgb(${this.look[4 * i]},${this.look[4 * i + 1]},${this.look[4 * i + 2]})`;
  }

  // -- what is hidden and chosen --------------------------------------------------------------------------------------
  refresh() {
    let chosen = 0;
    for (let i = 0; i < this.n; i++) chosen += this.chosen[i];
    for (let i = 0; i < this.n; i++) {
      const hidden = this.label && this.hiddenClasses.has(this.label[i]);
      this.state[i] = hidden ? HIDDEN : this.chosen[i] ? CHOSEN : chosen ? DIM : PLAIN;
    }
    this.count = chosen;
  }

  bits() {
    const bytes = new Uint8Array(Math.ceil(this.n / 8));
    for (let i = 0; i < this.n; i++) if (this.chosen[i]) bytes[i >> 3] |= 1 << (i & 7);
    let text = "";
    for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
    return btoa(text);
  }

  restore(bits) {
    const text = atob(bits);
    for (let i = 0; i < this.n; i++) this.chosen[i] = (text.charCodeAt(i >> 3) >> (i & 7)) & 1;
  }

  // -- on the screen ----------------------------------------------------------------------------------------------------
  project() {
    if (!this.stale) return this.screen;
    const r = this.rotation(), s = this.scale, [cx, cy, cz] = this.center, p = this.at3, out = this.screen;
    const persp = this.dims === 3 ? 1 / EYE : 0, ox = this.width / 2 + this.shift[0], oy = this.height / 2 + this.shift[1];
    for (let i = 0, k = 0; i < this.n; i++, k += 3) {
      const x = p[k] - cx, y = p[k + 1] - cy, z = p[k + 2] - cz;
      const depth = r[6] * x + r[7] * y + r[8] * z, f = s / (1 - depth * persp);
      out[k] = ox + (r[0] * x + r[1] * y + r[2] * z) * f;
      out[k + 1] = oy - (r[3] * x + r[4] * y + r[5] * z) * f;
      out[k + 2] = depth;
    }
    this.stale = false;
    return out;
  }

  pick(x, y, reach = 12) {
    const s = this.project();
    let best = -1, least = reach * reach;
    for (let i = 0, k = 0; i < this.n; i++, k += 3) {
      const dx = s[k] - x, dy = s[k + 1] - y, d = dx * dx + dy * dy;
      if (d > least || this.state[i] === HIDDEN) continue;
      if (d < least || (this.dims === 3 && best >= 0 && s[k + 2] > s[3 * best + 2])) { best = i; least = d; }
    }
    return best;
  }

  // The nearest visible point in a direction: along counts once, across twice.
  next(from, dx, dy) {
    const s = this.project(), [x0, y0] = from < 0 ? [this.width / 2, this.height / 2] : [s[3 * from], s[3 * from + 1]];
    if (from < 0) return this.pick(x0, y0, Infinity);
    let best = from, least = Infinity;
    for (let i = 0, k = 0; i < this.n; i++, k += 3) {
      const ex = s[k] - x0, ey = s[k + 1] - y0, along = ex * dx + ey * dy, across = Math.abs(ex * dy - ey * dx);
      if (i === from || this.state[i] === HIDDEN || along <= 0.5 || !this.within(k)) continue;
      if (along + 2 * across < least) { best = i; least = along + 2 * across; }
    }
    return best;
  }

  within(k) {
    return this.screen[k] >= 0 && this.screen[k] <= this.width && this.screen[k + 1] >= 0 && this.screen[k + 1] <= this.height;
  }

  inside(outline) {
    const s = this.project(), xs = outline.map((p) => p[0]), ys = outline.map((p) => p[1]), found = [];
    const [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    for (let i = 0, k = 0; i < this.n; i++, k += 3) {
      const x = s[k], y = s[k + 1];
      if (x < x0 || x > x1 || y < y0 || y > y1 || this.state[i] === HIDDEN) continue;
      let odd = false;
      for (let a = 0, b = outline.length - 1; a < outline.length; b = a++) {
        if (ys[a] > y !== ys[b] > y && x < ((xs[b] - xs[a]) * (y - ys[a])) / (ys[b] - ys[a]) + xs[a]) odd = !odd;
      }
      if (odd) found.push(i);
    }
    return found;
  }

  // Points that get a picture: in row order, none nearer than a picture's width to one that has it, at most `most`.
  pictured(size, most) {
    const s = this.project(), cells = new Map(), found = [];
    for (let i = 0, k = 0; i < this.n && found.length < most; i++, k += 3) {
      if (this.state[i] === HIDDEN || this.state[i] === DIM || !this.within(k)) continue;
      const cx = Math.floor(s[k] / size), cy = Math.floor(s[k + 1] / size);
      let free = true;
      for (let a = cx - 1; free && a <= cx + 1; a++) for (let b = cy - 1; free && b <= cy + 1; b++) {
        const j = cells.get(a * 100003 + b);
        free = j === undefined || Math.abs(s[3 * j] - s[k]) >= size || Math.abs(s[3 * j + 1] - s[k + 1]) >= size;
      }
      if (!free) continue;
      cells.set(cx * 100003 + cy, i);
      found.push(i);
    }
    return found;
  }

  // -- moving ---------------------------------------------------------------------------------------------------------
  zoomBy(factor, x = this.width / 2, y = this.height / 2) {
    const before = this.zoom;
    this.zoom = clamp(this.zoom * factor, 0.3, 400);
    const f = this.zoom / before, dx = x - this.width / 2, dy = y - this.height / 2;
    this.shift = [dx + (this.shift[0] - dx) * f, dy + (this.shift[1] - dy) * f];
    this.moved();
  }

  panBy(dx, dy) {
    this.shift = [this.shift[0] + dx, this.shift[1] + dy];
    this.moved();
  }

  turnBy(dx, dy) {
    this.yaw += dx * 0.008;
    this.pitch = clamp(this.pitch + dy * 0.008, -1.55, 1.55);
    this.moved();
  }
}
