// How points reach the canvas: WebGL, or a plain pixel buffer where the machine has none.

import { CHOSEN, DIM, EYE, HIDDEN } from "./scene.js"

const VERTEX = `
attribute vec3 at; attribute vec4 look; attribute float state;
uniform mat3 turn; uniform vec3 center; uniform vec2 scale; uniform vec2 shift; uniform float persp, size, deep, third;
varying vec3 colour; varying float shape, fade, px;
void main() {
  vec3 p = vec3(at.xy * 2.0 - 1.0, (at.z * 2.0 - 1.0) * third) - center;
  p = p * turn;
  float f = 1.0 / (1.0 - p.z * persp);
  float chosen = step(2.5, state);
  float depth = mix(-0.5 * step(1.5, state) - 0.2 * chosen, -p.z * 0.5, deep);
  gl_Position = state < 0.5 ? vec4(2.0, 2.0, 2.0, 1.0) : vec4(p.xy * f * scale + shift, depth, 1.0);
  px = size * mix(1.0, f, third) * (1.0 + 0.35 * chosen);
  gl_PointSize = px;
  colour = look.rgb; shape = floor(look.a * 255.0 + 0.5);
  fade = (state > 1.5 ? 1.0 : 0.22) * mix(1.0, clamp(0.75 + 0.5 * p.z, 0.35, 1.0), third);
}`;
const FRAGMENT = `
precision mediump float;
varying vec3 colour; varying float shape, fade, px;
uniform float dark, plain;
float outline(vec2 p) {
  vec2 a = abs(p);
  if (shape < 0.5) return length(p) - 0.82;
  if (shape < 1.5) return max(a.x, a.y) - 0.72;
  if (shape < 2.5) return max(a.x * 0.866 + p.y * 0.5, -p.y) - 0.46;
  if (shape < 3.5) return (a.x + a.y) * 0.72 - 0.66;
  if (shape < 4.5) return min(max(a.x - 0.3, a.y - 0.86), max(a.y - 0.3, a.x - 0.86));
  return max(a.x * 0.866 - p.y * 0.5, p.y) - 0.46;
}
void main() {
  vec2 p = gl_PointCoord * 2.0 - 1.0;
  if (plain > 0.5) { // too small for a shape to be seen: a dot, several times cheaper
    if (dot(p, p) > 1.0) discard;
    gl_FragColor = vec4(colour * fade, fade);
    return;
  }
  p.y = -p.y;
  float soft = 2.0 / px, d = outline(p);
  float inside = 1.0 - smoothstep(-soft, 0.0, d);
  if (inside < 0.02) discard;
  vec3 rim = mix(colour * 0.55, mix(colour, vec3(1.0), 0.35), dark);
  float body = 1.0 - smoothstep(-0.26 - soft, -0.26, d);
  gl_FragColor = vec4(mix(rim, colour, px < 5.0 ? 1.0 : body), 1.0) * inside * fade;
}`;

export class GlPainter {
  static make(canvas) {
    const gl = canvas.getContext("webgl", { antialias: false, premultipliedAlpha: true });
    return gl ? new GlPainter(canvas, gl) : null;
  }

  constructor(canvas, gl) {
    Object.assign(this, { canvas, gl });
    this.link();
  }

  link() {
    const gl = this.gl, program = (this.program = gl.createProgram());
    for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    gl.useProgram(program);
    this.uniform = new Proxy({}, { get: (_, name) => gl.getUniformLocation(program, name) });
    this.buffers = Object.fromEntries(["at", "look", "state"].map((name) => [name, gl.createBuffer()]));
  }

  attribute(name, data, size, type, normalised) {
    const gl = this.gl, place = gl.getAttribLocation(this.program, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[name]);
    gl.bufferData(gl.ARRAY_BUFFER, data, gl.DYNAMIC_DRAW);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, size, type, normalised, 0, 0);
  }

  load(scene) {
    const gl = this.gl;
    this.attribute("at", scene.raw, scene.dims, gl.UNSIGNED_SHORT, true);
    this.paintLook(scene);
    this.paintState(scene);
  }

  paintLook(scene) {
    this.attribute("look", scene.look, 4, this.gl.UNSIGNED_BYTE, true);
  }

  paintState(scene) {
    this.attribute("state", scene.state, 1, this.gl.UNSIGNED_BYTE, false);
  }

  draw(scene, theme, dpr) {
    const { gl, canvas, uniform } = this, third = scene.dims === 3;
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    (third ? gl.enable : gl.disable).call(gl, gl.DEPTH_TEST);
    gl.uniformMatrix3fv(uniform.turn, false, scene.rotation()); // rows, read as columns: hence p * turn
    gl.uniform3fv(uniform.center, scene.center);
    gl.uniform2f(uniform.scale, (2 * scene.scale) / scene.width, (2 * scene.scale) / scene.height);
    gl.uniform2f(uniform.shift, (2 * scene.shift[0]) / scene.width, (-2 * scene.shift[1]) / scene.height);
    gl.uniform1f(uniform.persp, third ? 1 / EYE : 0);
    gl.uniform1f(uniform.third, third ? 1 : 0);
    gl.uniform1f(uniform.deep, third ? 1 : 0);
    gl.uniform1f(uniform.size, 2 * scene.radius * dpr);
    gl.uniform1f(uniform.plain, 2 * scene.radius * dpr < 6 ? 1 : 0);
    gl.uniform1f(uniform.dark, theme.dark ? 1 : 0);
    gl.drawArrays(gl.POINTS, 0, scene.n);
  }

  free() {
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}

// The same outlines as in the fragment shader, y up.
function outline(shape, x, y) {
  const ax = Math.abs(x), ay = Math.abs(y);
  if (shape === 0) return Math.hypot(x, y) - 0.82;
  if (shape === 1) return Math.max(ax, ay) - 0.72;
  if (shape === 2) return Math.max(ax * 0.866 + y * 0.5, -y) - 0.46;
  if (shape === 3) return (ax + ay) * 0.72 - 0.66;
  if (shape === 4) return Math.min(Math.max(ax - 0.3, ay - 0.86), Math.max(ay - 0.3, ax - 0.86));
  return Math.max(ax * 0.866 - y * 0.5, y) - 0.46;
}

class PixelPainter {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.stamps = new Map();
  }

  load() {}
  paintLook() {}
  paintState() {}
  free() {}

  // The pixels of a mark around its middle: dx, dy, and 1 on the rim.
  stamp(shape, radius) {
    const key = shape * 1000 + radius;
    if (this.stamps.has(key)) return this.stamps.get(key);
    const found = [], small = radius < 3;
    for (let y = -radius; y <= radius; y++)
      for (let x = -radius; x <= radius; x++) {
        const d = outline(small ? 0 : shape, x / radius, -y / radius);
        if (d <= (small ? 0.25 : 0.05)) found.push(x, y, !small && d > -0.26 ? 1 : 0);
      }
    this.stamps.set(key, Int16Array.from(found));
    return this.stamps.get(key);
  }

  draw(scene, theme, dpr) {
    const { width, height } = this.canvas;
    this.image = this.context.createImageData(width, height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    scene.project();
    for (const faint of [true, false]) {
      this.near = scene.dims === 3 ? new Float32Array(width * height).fill(-Infinity) : null;
      for (let i = 0; i < scene.n; i++) if (scene.state[i] !== HIDDEN && (scene.state[i] === DIM) === faint) this.mark(scene, theme, dpr, i);
    }
    this.context.putImageData(this.image, 0, 0);
  }

  mark(scene, theme, dpr, i) {
    const { width, height } = this.canvas, { look, screen: s } = scene, k = 4 * i, depth = s[3 * i + 2];
    const grow = (scene.dims === 3 ? 1 / (1 - depth / EYE) : 1) * (scene.state[i] === CHOSEN ? 1.35 : 1);
    const stamp = this.stamp(look[k + 3], Math.max(1, Math.round(scene.radius * dpr * grow)));
    const x0 = Math.round(s[3 * i] * dpr), y0 = Math.round(s[3 * i + 1] * dpr), alpha = (scene.state[i] === DIM ? 56 : 255) << 24;
    const rim = (v) => (theme.dark ? v + (255 - v) * 0.35 : v * 0.55) | 0;
    const body = alpha | (look[k + 2] << 16) | (look[k + 1] << 8) | look[k];
    const edge = alpha | (rim(look[k + 2]) << 16) | (rim(look[k + 1]) << 8) | rim(look[k]);
    for (let j = 0; j < stamp.length; j += 3) {
      const x = x0 + stamp[j], y = y0 + stamp[j + 1], at = y * width + x;
      if (x < 0 || y < 0 || x >= width || y >= height) continue;
      if (this.near) {
        if (this.near[at] > depth) continue;
        this.near[at] = depth;
      }
      this.pixels[at] = stamp[j + 2] ? edge : body;
    }
  }
}

// Without a graphics card a browser imitates WebGL on the processor; for many points plain pixels are several times faster.
export function painterFor(canvas, n) {
  const probe = document.createElement("canvas").getContext("webgl");
  const info = probe?.getExtension("WEBGL_debug_renderer_info");
  const named = probe ? String(probe.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : probe.RENDERER)) : "";
  probe?.getExtension("WEBGL_lose_context")?.loseContext();
  const imitated = /swiftshader|llvmpipe|software|basic render/i.test(named);
  return (n > 20_000 && imitated ? null : GlPainter.make(canvas)) ?? new PixelPainter(canvas);
}
