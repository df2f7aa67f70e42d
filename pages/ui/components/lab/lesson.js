// A small SimCLR run in float64: pictures of eight numbers, noisy views, a linear encoder onto the sphere, a loss, AdamW.
// No DOM in here: node imports this file in the tests and compares it with simclr_core and with torch.
//
// A setting is { data, noise, tau, seed, start, nudge }; what a run is after t steps depends on it and on t alone. Rows stand
// one after the other in flat arrays; the two views of picture i are rows 2i and 2i+1, so the partner of row i is i ^ 1.

import { eigen } from "../shared/geometry.js"

export const N = 24 // pictures
export const D = 8 // numbers a picture
export const DIM = 3 // dimensions of the embedding
export const STEPS = 600
const WIDTH = D + 1 // weights a dimension, the bias last
const RATE = 0.01
const DECAY = 0.01
const BETA = [0.9, 0.999]
const EPSILON = 1e-8
const NUDGE = 1e-3
const BLOBS = { count: 4, apart: 2, spread: 0.3 }
const DRAW = { picture: 0, centre: 1, weight: 2, nudge: 3, shown: 4, step: 5 } // each purpose its own random numbers
const SHOWN = -1 // the views that are drawn and measured; training never sees them
const RANKME_EPS = 1e-7

// Standard normal numbers from a seed and the purpose they are drawn for (mulberry32, Box and Muller).
function normals(count, seed, purpose) {
  let state = Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(purpose + 1, 0x85ebca6b)
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0
    let x = Math.imul(state ^ (state >>> 15), 1 | state)
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296
  }
  return Float64Array.from({ length: count }, () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()))
}

export function pictures({ data, seed }) {
  const own = normals(N * D, seed, DRAW.picture)
  if (data === "gauss") return own
  const centre = normals(BLOBS.count * D, seed, DRAW.centre)
  return own.map((e, at) => BLOBS.apart * centre[(Math.floor(at / D) % BLOBS.count) * D + (at % D)] + BLOBS.spread * e)
}

// Two views of each picture: the picture and fresh noise, at each step another.
export function views(x, { noise, seed }, t = SHOWN) {
  const e = normals(2 * N * D, seed, t === SHOWN ? DRAW.shown : DRAW.step + t)
  return e.map((value, at) => x[Math.floor(at / (2 * D)) * D + (at % D)] + noise * value)
}

export function firstWeights({ start, seed }) {
  const e = normals(DIM * WIDTH, seed, DRAW.weight)
  const scale = start === "collapsed" ? 0 : 1 / Math.sqrt(D) // collapsed: the bias alone, every row the same
  return e.map((value, at) => (at % WIDTH === D ? value / Math.sqrt(D) : scale * value))
}

// Unit rows u and the lengths that were divided out.
function embed(w, x) {
  const m = x.length / D
  const u = new Float64Array(m * DIM)
  const length = new Float64Array(m)
  for (let i = 0; i < m; i++) {
    for (let a = 0; a < DIM; a++) {
      let z = w[a * WIDTH + D]
      for (let j = 0; j < D; j++) z += w[a * WIDTH + j] * x[i * D + j]
      u[i * DIM + a] = z
    }
    length[i] = Math.hypot(...u.subarray(i * DIM, (i + 1) * DIM))
    for (let a = 0; a < DIM; a++) u[i * DIM + a] /= length[i]
  }
  return { u, length }
}

function cosine(u, i, k) {
  let s = 0
  for (let a = 0; a < DIM; a++) s += u[i * DIM + a] * u[k * DIM + a]
  return s
}

// Adds weight · (u_k − u_i) to row i and the opposite to row k. Along the sphere this is weight times the gradient of the
// cosine, and it is exactly 0 where the two rows are equal, which weight · u_k is not.
function pull(force, u, i, k, weight) {
  for (let a = 0; a < DIM; a++) {
    const along = weight * (u[k * DIM + a] - u[i * DIM + a])
    force[i * DIM + a] += along
    force[k * DIM + a] -= along
  }
}

// Mean squared distance of the views of a picture, and its gradient on the rows.
function attraction(u) {
  const force = new Float64Array(u.length)
  for (let i = 0; i < u.length / DIM; i += 2) pull(force, u, i, i + 1, (-2 * 2 * DIM) / u.length)
  return { loss: alignment(u), force }
}

// NT-Xent, mean over all rows, in nats, and its gradient on the rows.
function ntXent(u, tau) {
  const m = u.length / DIM
  const e = new Float64Array(m * m)
  const others = new Float64Array(m)
  for (let i = 0; i < m; i++) {
    for (let k = i + 1; k < m; k++) {
      const value = (e[i * m + k] = e[k * m + i] = Math.exp((cosine(u, i, k) - 1) / tau))
      if (k === (i ^ 1)) continue
      others[i] += value
      others[k] += value
    }
  }
  const force = new Float64Array(u.length)
  let loss = 0
  for (let i = 0; i < m; i++) {
    const own = e[i * m + (i ^ 1)]
    loss += Math.log1p(others[i] / own) / m
    for (let k = i + 1; k < m; k++) {
      const [a, b] = [others[i] + own, others[k] + e[k * m + (k ^ 1)]]
      const share = k === (i ^ 1) ? -others[i] / a - others[k] / b : e[i * m + k] / a + e[i * m + k] / b
      pull(force, u, i, k, share / (tau * m))
    }
  }
  return { loss, force }
}

// What is compared, from the same pictures, views and first weights.
export const OBJECTIVES = { attraction, negatives: ntXent }

// Gradient on the weights: along the sphere, through the division by the length, onto the numbers of the view.
function weightGradient({ u, length }, force, x) {
  const gradient = new Float64Array(DIM * WIDTH)
  for (let i = 0; i < length.length; i++) {
    let outward = 0
    for (let a = 0; a < DIM; a++) outward += force[i * DIM + a] * u[i * DIM + a]
    for (let a = 0; a < DIM; a++) {
      const along = (force[i * DIM + a] - outward * u[i * DIM + a]) / length[i]
      for (let j = 0; j < D; j++) gradient[a * WIDTH + j] += along * x[i * D + j]
      gradient[a * WIDTH + D] += along
    }
  }
  return gradient
}

// One step of AdamW (Loshchilov & Hutter 2019) as torch takes it; t counts from 1.
export function adamw({ w, first, second }, gradient, t) {
  const next = { w: w.map((value) => value * (1 - RATE * DECAY)), first: first.slice(), second: second.slice() }
  gradient.forEach((g, at) => {
    next.first[at] = BETA[0] * first[at] + (1 - BETA[0]) * g
    next.second[at] = BETA[1] * second[at] + (1 - BETA[1]) * g * g
    const size = Math.sqrt(next.second[at] / (1 - BETA[1] ** t)) + EPSILON
    next.w[at] -= (RATE * next.first[at]) / (1 - BETA[0] ** t) / size
  })
  return next
}

// Both lanes of a setting from the same start; every step that was taken is kept, so one can go back.
export class Lesson {
  constructor(setting) {
    this.setting = setting
    this.x = pictures(setting)
    this.shown = views(this.x, setting)
    const w = firstWeights(setting)
    this.lanes = Object.entries(OBJECTIVES).map(([name, objective]) => ({ name, objective, states: [], loss: [] }))
    for (const lane of this.lanes) this.keep(lane, { w, first: w.map(() => 0), second: w.map(() => 0) })
  }

  get reached() {
    return this.lanes[0].states.length - 1
  }

  keep(lane, state) {
    lane.states.push(state)
    lane.loss.push(lane.objective(embed(state.w, this.shown).u, this.setting.tau).loss)
  }

  advance() {
    const { tau, seed, nudge } = this.setting
    const t = this.reached
    const x = views(this.x, this.setting, t)
    for (const lane of this.lanes) {
      const state = { ...lane.states[t] }
      if (t === nudge) state.w = normals(state.w.length, seed, DRAW.nudge).map((e, at) => state.w[at] + NUDGE * e)
      const rows = embed(state.w, x)
      this.keep(lane, adamw(state, weightGradient(rows, lane.objective(rows.u, tau).force, x), t + 1))
    }
  }

  // Push the weights a little after t steps; what came later is taken back.
  nudge(t) {
    this.setting = { ...this.setting, nudge: t }
    for (const lane of this.lanes) lane.states.length = lane.loss.length = t + 1
  }

  // The shown rows of a lane after t steps, their loss and the length of its gradient on the weights, and the meters.
  read(lane, t) {
    const rows = embed(lane.states[t].w, this.shown)
    const { loss, force } = lane.objective(rows.u, this.setting.tau)
    return { u: rows.u, loss, gradient: Math.hypot(...weightGradient(rows, force, this.shown)), ...meters(rows.u) }
  }
}

// -- the meters, as simclr_core.diagnostics defines them, over all rows ---------------------------------------------------
export function meters(u) {
  const meanCosine = Math.min(1, overPairs(u, (s) => s))
  const uniformity = Math.min(0, Math.log(overPairs(u, (s) => Math.exp(4 * (s - 1)))))
  return { mean_cosine: meanCosine, rankme: rankme(u), uniformity, alignment: alignment(u) }
}

function overPairs(u, value) {
  const m = u.length / DIM
  let sum = 0
  for (let i = 0; i < m; i++) for (let k = 0; k < i; k++) sum += value(cosine(u, i, k))
  return sum / ((m * (m - 1)) / 2)
}

function alignment(u) {
  let sum = 0
  for (let i = 0; i < u.length; i++) sum += (u[i] - u[(Math.floor(i / DIM) ^ 1) * DIM + (i % DIM)]) ** 2
  return sum / (u.length / DIM)
}

// exp of the entropy of the singular values' shares, not centred: 1 where all rows lie on one line through 0, at most DIM.
function rankme(u) {
  const covariance = Array.from({ length: DIM }, (_, a) => Array.from({ length: DIM }, (_, b) => {
    let sum = 0
    for (let i = 0; i < u.length; i += DIM) sum += u[i + a] * u[i + b]
    return sum
  }))
  const singular = eigen(covariance).values.map((value) => Math.sqrt(Math.max(value, 0)))
  const total = singular.reduce((a, b) => a + b, 0)
  const share = singular.map((value) => value / total + RANKME_EPS)
  return Math.exp(-share.reduce((sum, p) => sum + p * Math.log(p), 0))
}

// NT-Xent where both views agree and infinitely many pictures are spread evenly on the sphere: a reference, no bound.
export function lossUniformSphere(tau) {
  return Math.log1p((2 * N - 2) * ((tau * -Math.expm1(-2 / tau)) / 2)) // E exp((cos − 1)/τ) on the sphere in three dimensions
}
