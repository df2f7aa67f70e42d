// What is looked at, as plain data, and all numbers of it. No DOM in here: node tests this file.
//
// A view, the state that a link carries: { preset, n, row, tau, tau2, cells, fix, own, mode, at, speed }.
//   preset: id of a batch; n: images of a batch of free size; row: the anchor, from 1; tau, tau2: temperatures, tau2 null
//   unless two are compared; cells: what was dragged, "1.3.85_2.4.-20" for s(1,3) = .85, s(2,4) = -.20; fix: show the
//   nearest possible matrix instead; own: a matrix brought along, its upper triangle in ten-thousandths joined by dots;
//   mode: sweep, beats or train; at: the beat (1 to 6) or the step of training; speed: slow, normal or fast.

import { clamp } from "../shared/format.js"
import { cosines, descend, eigen, nearestRealisable, realisable, smallestEigenvalue, vectorsFrom } from "../shared/geometry.js"
import {
  effectiveNegatives, gradientRow, gradientRows, lossAndPull, lossCeiling, lossFloor, lossRows, mean, missing, softmaxRows,
} from "../shared/ntxent.js"

export const LOW = 0.01
export const HIGH = 10
export const OWN = "own"
const BEATS = 6
export const STEPS = 400
export const RATE = 0.5
const IMAGES = [6, 16] // usual and most images of a batch of free size
const LONGEST_TEXT = 20000
const SAMPLES = 101
const CELL_UNIT = 100
const OWN_UNIT = 10000

// Where a temperature stands on the logarithmic axis from LOW to HIGH, 0 to 1, and back.
export function fraction(tau) {
  return Math.log(tau / LOW) / Math.log(HIGH / LOW)
}

export function tauAt(t) {
  return LOW * (HIGH / LOW) ** clamp(t, 0, 1)
}

// -- matrices ----------------------------------------------------------------------------------------------------------
function readCells(text) {
  return text ? text.split("_").map((part) => part.split(".").map(Number)).map(([i, k, v]) => [i - 1, k - 1, v / CELL_UNIT]) : []
}

function writeCells(cells) {
  return cells.map(([i, k, v]) => `${i + 1}.${k + 1}.${Math.round(v * CELL_UNIT)}`).join("_")
}

// The dragged cells with one more value; a matrix is symmetric, so a cell and its mirror are one.
export function withCell(text, i, k, value) {
  const [low, high] = i < k ? [i, k] : [k, i]
  const rest = readCells(text).filter(([a, b]) => a !== low || b !== high)
  return writeCells([...rest, [low, high, clamp(value, -1, 1)]])
}

export function writeOwn(s) {
  return s.flatMap((row, i) => row.slice(i + 1)).map((x) => Math.round(x * OWN_UNIT)).join(".")
}

function readOwn(text) {
  const upper = text.split(".").map((x) => Number(x) / OWN_UNIT)
  const m = side(text)
  const s = Array.from({ length: m }, () => new Array(m).fill(null))
  let next = 0
  for (let i = 0; i < m; i++) for (let k = i + 1; k < m; k++) s[i][k] = s[k][i] = upper[next++]
  return { similarity: s, partner: s.map((_, i) => i ^ 1) }
}

// The matrix that a view names: `s` as shown before training, `least` its smallest eigenvalue (of the dragged matrix, so
// that a mended one still says why), `moved` the cells that the nearest possible matrix moves, as [i, k, from, to].
export function openBatch(presets, view) {
  const preset = view.preset === OWN ? readOwn(view.own) : presets.find((one) => one.id === view.preset)
  const m = preset.adjustable ? Math.min(2 * view.n, preset.partner.length) : preset.partner.length
  const dragged = readCells(view.cells).filter(([, k]) => k < m)
  const s = preset.similarity.slice(0, m).map((row) => row.slice(0, m))
  for (const [i, k, v] of dragged) s[i][k] = s[k][i] = v
  const least = smallestEigenvalue(s)
  const possible = realisable(least, m)
  const mended = view.fix && !possible
  const shown = mended ? nearestRealisable(s) : s
  return { s: shown, m, partner: preset.partner.slice(0, m), dragged, least, possible, mended, moved: mended ? moves(s, shown) : [] }
}

function moves(from, to) {
  const found = []
  for (let i = 0; i < from.length; i++) for (let k = i + 1; k < from.length; k++) found.push([i, k, from[i][k], to[i][k]])
  return found.filter(([, , a, b]) => Math.abs(a - b) >= 5e-4).sort((x, y) => Math.abs(y[2] - y[3]) - Math.abs(x[2] - x[3]))
}

// -- numbers of a frame --------------------------------------------------------------------------------------------------
// Everything about a matrix at one temperature, seen from one anchor.
export function measure(s, partner, tau, row) {
  const shares = softmaxRows(s, tau)
  const p = shares[row]
  const losses = lossRows(s, partner, tau)
  return {
    tau, shares, p, losses, total: mean(losses), q: missing(p, partner[row]), gradient: gradientRow(p, partner[row], tau),
    negatives: effectiveNegatives(s[row], row, partner[row], tau), pull: lossAndPull(s, partner, tau)[1],
  }
}

// Loss and mean pull over a logarithmic grid of temperatures; once a matrix, not once a frame.
export function sweep(s, partner) {
  const taus = Array.from({ length: SAMPLES }, (_, at) => tauAt(at / (SAMPLES - 1)))
  const both = taus.map((tau) => lossAndPull(s, partner, tau))
  const n = partner.length / 2
  return {
    taus, total: both.map((pair) => pair[0]), pull: both.map((pair) => pair[1]),
    floor: taus.map((tau) => lossFloor(n, tau)), ceiling: lossCeiling(n),
  }
}

// The fractions of a long denominator that are written out: all in their order, or the positive and its hardest negatives.
export function writtenOut(row, i, j, most) {
  const others = [...row.keys()].filter((k) => k !== i)
  if (others.length <= most) return others
  return [j, ...others.filter((k) => k !== j).sort((a, b) => row[b] - row[a]).slice(0, most - 1)]
}

// -- training ------------------------------------------------------------------------------------------------------------
// Gradient descent on the vectors of a matrix: at(k) is the state after k steps, computed when first asked for, so that a
// step is the same whether one played, scrubbed or opened a link.
export function makeTrail(s, partner, tau) {
  const start = vectorsFrom(s)
  const plane = widestPlane(start)
  const states = [describe(start, partner, tau, plane)]
  const at = (k) => {
    while (states.length <= k) {
      const { z, s: now } = states[states.length - 1]
      states.push(describe(descend(z, gradientRows(now, partner, tau), RATE), partner, tau, plane))
    }
    return states[k]
  }
  return { at, reached: () => states.length - 1, dims: start[0].length, tau }
}

function describe(z, partner, tau, plane) {
  const s = cosines(z)
  const m = z.length
  let positive = 0
  let all = 0
  for (let i = 0; i < m; i++) for (let k = 0; k < m; k++) if (i !== k) all += s[i][k]
  for (let i = 0; i < m; i++) positive += s[i][partner[i]]
  const points = z.map((row) => plane.map((axis) => row.reduce((sum, x, c) => sum + x * axis[c], 0)))
  return { z, s, points, loss: lossAndPull(s, partner, tau)[0], positive: positive / m, negative: m > 2 ? (all - positive) / (m * (m - 2)) : null }
}

// Two fixed directions to look along: where the start is widest around its mean.
function widestPlane(z) {
  const centre = z[0].map((_, c) => mean(z.map((row) => row[c])))
  const away = z.map((row) => row.map((x, c) => x - centre[c]))
  const inner = away.map((a) => away.map((b) => a.reduce((sum, x, c) => sum + x * b[c], 0)))
  const { values, basis } = eigen(inner)
  return [1, 2].map((nth) => {
    const c = Math.max(z.length - nth, 0)
    const length = Math.sqrt(Math.max(values[c], 0)) || 1
    return centre.map((_, d) => away.reduce((sum, row, i) => sum + basis[c][i] * row[d], 0) / length)
  })
}

// -- playing -------------------------------------------------------------------------------------------------------------
const FROM = 0.5
const TO = 0.1
const KEY_STOPS = [0.5, 0.3, 0.2, 0.15, 0.1]

// The ways to play: how long in ms; what a moment t (0 to 1) shows; which moment a view is; one step onward or back.
// Early steps of training are shown slowly and late ones quickly, since little moves then.
export const MODES = {
  sweep: {
    span: 4000,
    start: 0,
    place: (t) => ({ tau: t === 1 ? TO : FROM * (TO / FROM) ** t }),
    moment: ({ tau }) => (tau < FROM * 0.9999 ? Math.log(FROM / tau) / Math.log(FROM / TO) : 0),
    step: ({ tau }, way) => ({
      tau: way > 0 ? KEY_STOPS.find((stop) => stop < tau * 0.9999) ?? FROM : KEY_STOPS.findLast((stop) => stop > tau * 1.0001) ?? FROM,
    }),
  },
  beats: {
    span: 1250 * BEATS,
    start: 1,
    last: BEATS,
    place: (t) => ({ at: Math.min(1 + Math.floor(t * BEATS), BEATS) }),
    moment: ({ at }) => (at === BEATS ? 1 : (at - 1) / BEATS),
    step: ({ at }, way) => ({ at: at + way > BEATS ? 1 : Math.max(at + way, 1) }),
  },
  train: {
    span: 14000,
    start: 0,
    last: STEPS,
    place: (t) => ({ at: Math.round(STEPS * t * t) }),
    moment: ({ at }) => Math.sqrt(at / STEPS),
    step: ({ at }, way) => ({ at: at + way > STEPS ? 0 : Math.max(at + way, 0) }),
  },
}

// -- a view as an address says it ------------------------------------------------------------------------------------------
// A valid view of whatever an address says, the twin of read_view in view.py: unknown → usual, outside → clamped.
export function readView({ presets, fewest }, asked) {
  const own = validOwn(asked.own)
  const sizes = new Map(presets.map(({ id, partner }) => [id, partner.length]))
  if (own) sizes.set(OWN, side(own))
  const among = (names, value) => (names.includes(value) ? value : names[0])
  const preset = among([...sizes.keys()], asked.preset)
  const mode = among(Object.keys(MODES), asked.mode)
  const { start, last = start } = MODES[mode]
  const whole = (name, usual, low, high) => Math.trunc(within(asked[name], usual, low, high))
  return {
    tau: within(asked.tau, FROM, LOW, HIGH), tau2: [undefined, null, ""].includes(asked.tau2) ? null : within(asked.tau2, FROM, LOW, HIGH),
    row: whole("row", 1, 1, sizes.get(preset)), preset, n: whole("n", IMAGES[0], fewest, IMAGES[1]),
    cells: [preset, undefined, null].includes(asked.preset) ? validCells(asked.cells, sizes.get(preset)) : "",
    fix: ["1", "true", "True"].includes(String(asked.fix)), own, mode, at: whole("at", start, start, last),
    speed: among(["normal", "slow", "fast"], asked.speed),
  }
}

function within(value, usual, low, high) {
  const number = typeof value === "string" && value.trim() ? Number(value) : value
  return Number.isFinite(number) ? clamp(number, low, high) : usual
}

function validCells(text, m) {
  const found = new Map()
  for (const part of String(text ?? "").slice(0, LONGEST_TEXT).split("_")) {
    const [, i, k, value] = (part.match(/^(\d{1,2})\.(\d{1,2})\.(-?\d{1,3})$/) ?? []).map(Number)
    if (i >= 1 && i < k && k <= m && Math.abs(value) <= CELL_UNIT) found.set(`${i}.${k}`, value)
  }
  return [...found].map(([at, value]) => `${at}.${value}`).join("_")
}

function validOwn(text) {
  const parts = String(text ?? "").slice(0, LONGEST_TEXT).split(".")
  const m = side(parts.join("."))
  const whole = (m * (m - 1)) / 2 === parts.length && m % 2 === 0 && m >= 2 && m <= 2 * IMAGES[1]
  return whole && parts.every((part) => /^-?\d{1,5}$/.test(part) && Math.abs(part) <= OWN_UNIT) ? parts.join(".") : ""
}

// Rows of the matrix whose upper triangle a text holds.
function side(own) {
  return Math.round((1 + Math.sqrt(1 + 8 * own.split(".").length)) / 2)
}

// -- questions -------------------------------------------------------------------------------------------------------------
// What a question asks about, at its temperatures, and the place of the right option: "trend" has grows, shrinks, stays;
// "least" has one option a temperature.
export function answer(question, similarity, partner) {
  const values = question.taus.map((tau) => {
    if (!question.row) return lossAndPull(similarity, partner, tau)[question.measure === "pull" ? 1 : 0]
    const seen = measure(similarity, partner, tau, question.row - 1)
    return question.measure === "pull" ? seen.q / tau : seen.losses[question.row - 1]
  })
  if (question.kind === "least") return { values, right: values.indexOf(Math.min(...values)) }
  const change = values[values.length - 1] / values[0] - 1
  return { values, right: Math.abs(change) < 1e-9 ? 2 : change > 0 ? 0 : 1 }
}
