// Numbers as text and numbers as colours. No DOM in here.

const SUPERSCRIPT = "⁰¹²³⁴⁵⁶⁷⁸⁹"
const SUBSCRIPT = "₀₁₂₃₄₅₆₇₈₉"

export function subscript(n) {
  return [...String(n)].map((c) => SUBSCRIPT[c]).join("")
}

// Four significant digits; powers of ten where plain digits would be long.
export function fmt(x, digits = 4) {
  if (x === 0) return "0"
  const size = Math.abs(x)
  if (size >= 1e-4 && size < 1e6) {
    const places = Math.max(0, digits - 1 - Math.floor(Math.log10(size)))
    return minus(size >= 1e4 ? Math.round(x).toLocaleString("en") : x.toFixed(places))
  }
  const [mantissa, power] = x.toExponential(digits - 2).split("e")
  const exponent = [...String(Math.abs(power))].map((c) => SUPERSCRIPT[c]).join("")
  return `${minus(mantissa)}×10${power < 0 ? "⁻" : ""}${exponent}`
}

function minus(text) {
  return String(text).replace("-", "−")
}

// A share close to 1 is told by what is missing: 0.9999999 and 1 look alike, but only one of them is a loss of 0.
export function fmtShare(p, q) {
  return q > 0 && q < 1e-4 ? `1 − ${fmt(q, 3)}` : fmt(p)
}

export function fmtSimilarity(x) {
  return minus(x.toFixed(2).replace(/^-(?=[0.]+$)/, "")) // no −0.00
}

export function fmtTau(tau) {
  return String(Number(tau.toPrecision(tau < 0.1 ? 2 : 3)))
}

// "{a} of {b}" with its values; the catalogue's placeholders.
export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name])
}

export function clamp(x, low, high) {
  return Math.min(Math.max(x, low), high)
}

// -- colours -----------------------------------------------------------------------------------------------------------
export const CIVIDIS = ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838"]
const RAMP = CIVIDIS.map(rgb)

// "#rrggbb" → [r, g, b]
export function rgb(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16))
}

// A share from 0 to 1 → [r, g, b]
export function cividis(t) {
  const at = clamp(t, 0, 1) * (RAMP.length - 1)
  const low = Math.min(Math.floor(at), RAMP.length - 2)
  return RAMP[low].map((v, c) => Math.round(v + (RAMP[low + 1][c] - v) * (at - low)))
}

function luminance(colour) {
  const [r, g, b] = colour.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4))
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

// 257 colours with the text colour, black or white, that contrasts more (never below 4.58 : 1).
const LADDER = Array.from({ length: 257 }, (_, step) => {
  const paint = cividis(step / 256)
  return { fill: `rgb(${paint})`, ink: luminance(paint) > 0.179 ? "#000" : "#fff" }
})

export function colour(t) {
  return LADDER[Math.round(clamp(t, 0, 1) * 256)]
}

const LOG_LOW = 6 // the log scale of shares starts at 10^-6

// Where a share stands on the 0 to 1 axis, linear or logarithmic.
export function place(p, log) {
  if (!log) return p
  return p > 0 ? Math.max(0, 1 + Math.log10(p) / LOG_LOW) : 0
}
