// A picture on its way to a view, with the arithmetic of simclr_core/augment.py; no DOM in here.
// A picture is { pixels: bytes, height, width }, row by row, red green blue; a view is floats in [0, 1] in the same order.

import { clamp } from "../shared/format.js"

const LUMA = [0.2989, 0.587, 0.114]
const STILL = { brightness: 1, contrast: 1, saturation: 1, hue: 0, blur: 0 } // the amounts that change nothing

const grey = (r, g, b) => LUMA[0] * r + LUMA[1] * g + LUMA[2] * b

// What a view has undergone at a place from 0, the picture, to n, the view: steps that are over, and a share of the next.
// A flip happens at the end of its step.
export function progress(steps, at, { height, width }) {
  const whole = [0, 0, height, width]
  const done = { box: whole, flipped: false, amounts: [] }
  steps.forEach(({ operation, drawn }, i) => {
    const share = clamp(at - i, 0, 1)
    if (operation === "crop") done.box = drawn.map((end, k) => whole[k] + share * (end - whole[k]))
    else if (operation === "flip") done.flipped = share === 1
    else if (operation === "grey") done.amounts.push([operation, share])
    else done.amounts.push([operation, STILL[operation] + share * (drawn[0] - STILL[operation])])
  })
  return done
}

export function render(picture, { box, flipped, amounts }, size) {
  const x = crop(picture, box, flipped, size)
  for (const [operation, amount] of amounts) OPERATION[operation](x, amount, size)
  return x
}

// -- crop and flip: bilinear with antialiasing, within the crop alone ----------------------------------------------------
function axis(start, length, source, size, mirrored) {
  const [step, unit] = [length / size, Math.max(length / size, 1)]
  return Array.from({ length: size }, (_, at) => {
    const centre = clamp(((mirrored ? size - 1 - at : at) + 0.5) * step - 0.5, 0, length - 1)
    const taps = []
    for (let pixel = Math.max(Math.ceil(start), 0); pixel < Math.min(start + length, source); pixel++) {
      const weight = 1 - Math.abs(pixel - start - centre) / unit
      if (weight > 0) taps.push([pixel, weight])
    }
    const sum = taps.reduce((total, [, weight]) => total + weight, 0)
    return taps.map(([pixel, weight]) => [pixel, weight / sum])
  })
}

function crop({ pixels, height, width }, [top, left, tall, wide], flipped, size) {
  const [rows, columns] = [axis(top, tall, height, size), axis(left, wide, width, size, flipped)]
  const out = new Float64Array(size * size * 3)
  rows.forEach((vertical, i) => columns.forEach((horizontal, j) => {
    for (const [y, v] of vertical) {
      for (const [x, h] of horizontal) {
        for (let c = 0; c < 3; c++) out[(i * size + j) * 3 + c] += (v * h * pixels[(y * width + x) * 3 + c]) / 255
      }
    }
  }))
  return out
}

// -- colours and blur, in place --------------------------------------------------------------------------------------------
function mix(x, factor, other) {
  for (let i = 0; i < x.length; i += 3) {
    const beside = (1 - factor) * other(i)
    for (let c = i; c < i + 3; c++) x[c] = clamp(factor * x[c] + beside, 0, 1)
  }
}

const luma = (x) => (i) => grey(x[i], x[i + 1], x[i + 2])

function mean(x) {
  let sum = 0
  for (let i = 0; i < x.length; i += 3) sum += luma(x)(i)
  return sum / (x.length / 3)
}

// A turn of the hue as in HSV: a matrix of the pure colour of the turn, and a clamp to the pixel's own least and largest.
function turnHue(x, turn) {
  const sixth = 6 * (turn - Math.floor(turn))
  const pure = [Math.abs(sixth - 3) - 1, 2 - Math.abs(sixth - 2), 2 - Math.abs(sixth - 4)].map((v) => clamp(v, 0, 1))
  const weight = 2 - pure[0] - pure[1] - pure[2]
  for (let i = 0; i < x.length; i += 3) {
    const old = [x[i], x[i + 1], x[i + 2]]
    const [low, high] = [Math.min(...old), Math.max(...old)]
    for (let c = 0; c < 3; c++) {
      const turned = old.reduce((sum, value, k) => sum + (2 * pure[(c - k + 3) % 3] - 1) * value, weight * (low + high))
      x[i + c] = clamp(turned, low, high)
    }
  }
}

function blur(x, sigma, size) {
  if (!sigma) return
  const radius = Math.max(1, Math.floor(size / 20))
  const taps = Array.from({ length: 2 * radius + 1 }, (_, k) => Math.exp(-0.5 * ((k - radius) / sigma) ** 2))
  const sum = taps.reduce((a, b) => a + b)
  const mirrored = (at) => size - 1 - Math.abs(size - 1 - Math.abs(at))
  for (const along of [(i, j) => [i, j], (i, j) => [j, i]]) {
    const old = x.slice()
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) {
        const [row, column] = along(i, j)
        for (let c = 0; c < 3; c++) {
          let value = 0
          taps.forEach((tap, k) => {
            const [y, z] = along(i, mirrored(j + k - radius))
            value += (tap / sum) * old[(y * size + z) * 3 + c]
          })
          x[(row * size + column) * 3 + c] = value
        }
      }
    }
  }
}

const OPERATION = {
  brightness: (x, factor) => mix(x, factor, () => 0),
  contrast: (x, factor) => { const all = mean(x); mix(x, factor, () => all) },
  saturation: (x, factor) => mix(x, factor, luma(x)),
  hue: turnHue,
  grey: (x, share) => mix(x, 1 - share, luma(x)),
  blur,
}
