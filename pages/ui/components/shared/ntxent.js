// NT-Xent of a similarity matrix in float64, the browser's twin of simclr_core/similarity.py. No DOM in here: node imports
// this file in the tests and compares it with the golden values and with Python.
//
// s: array of rows, s[i][k] cosine of views i and k, the diagonal is never read; partner[i]: the other view of i's image;
// tau > 0. Losses in nats (Chen et al. 2020, arXiv 2002.05709, eq. 1).

// Softmax of one row of s/tau without the anchor itself. The largest logit is taken off first, so tau = 0.01 is safe.
function softmaxRow(row, i, tau) {
  let top = -Infinity
  for (let k = 0; k < row.length; k++) if (k !== i && row[k] > top) top = row[k]
  const p = new Array(row.length).fill(0)
  let sum = 0
  for (let k = 0; k < row.length; k++) if (k !== i) sum += p[k] = Math.exp((row[k] - top) / tau)
  for (let k = 0; k < row.length; k++) p[k] /= sum
  return p
}

export function softmaxRows(s, tau) {
  return s.map((row, i) => softmaxRow(row, i, tau))
}

// Loss of one anchor, ln(1 + sum over negatives of exp((s_k - s_pos)/tau)), and q = 1 - p of its positive, as [loss, q].
// Both keep every digit when the row is nearly solved, where 1 - p would lose them.
export function anchorLoss(row, i, j, tau) {
  let top = 0 // the positive's own term, exp(0) = 1
  for (let k = 0; k < row.length; k++) if (k !== i && k !== j && (row[k] - row[j]) / tau > top) top = (row[k] - row[j]) / tau
  let sum = 0
  for (let k = 0; k < row.length; k++) if (k !== i && k !== j) sum += Math.exp((row[k] - row[j]) / tau - top)
  const own = Math.exp(-top)
  return [top === 0 ? Math.log1p(sum) : top + Math.log(sum + own), sum / (sum + own)]
}

export function lossRows(s, partner, tau) {
  return s.map((row, i) => anchorLoss(row, i, partner[i], tau)[0])
}

export function mean(values) {
  return values.reduce((a, b) => a + b, 0) / values.length
}

// 1 - p of the positive as the sum of the other shares: no digits are lost when p is almost 1.
export function missing(p, j) {
  let q = 0
  for (let k = 0; k < p.length; k++) if (k !== j) q += p[k]
  return q
}

// d loss_i / d s_ik = (p_ik - [k = partner]) / tau, per anchor; the row sums to 0.
export function gradientRow(p, j, tau) {
  return p.map((value, k) => (k === j ? -missing(p, j) : value) / tau)
}

// d L / d s for the mean loss L over all anchors.
export function gradientRows(s, partner, tau) {
  return softmaxRows(s, tau).map((p, i) => gradientRow(p, partner[i], tau * s.length))
}

// [L, mean pull]: the batch loss and the mean of |d loss_i / d s_positive| = q/tau, in one pass.
export function lossAndPull(s, partner, tau) {
  let loss = 0
  let pull = 0
  for (let i = 0; i < s.length; i++) {
    const [l, q] = anchorLoss(s[i], i, partner[i], tau)
    loss += l
    pull += q / tau
  }
  return [loss / s.length, pull / s.length]
}

// exp of the entropy of the softmax over the negatives alone: 1 to 2N-2, and 0 where there are none (N = 1).
export function effectiveNegatives(row, i, j, tau) {
  let top = -Infinity
  for (let k = 0; k < row.length; k++) if (k !== i && k !== j && row[k] > top) top = row[k]
  if (top === -Infinity) return 0
  let sum = 0
  let weighted = 0
  for (let k = 0; k < row.length; k++) {
    if (k === i || k === j) continue
    const x = (row[k] - top) / tau
    const e = Math.exp(x)
    sum += e
    if (e > 0) weighted += e * x
  }
  return Math.exp(Math.log(sum) - weighted / sum)
}

// Loss of complete collapse, ln(2N-1), at every temperature.
export function lossCeiling(n) {
  return Math.log(2 * n - 1)
}

// Least loss that any encoder can reach: ln(1 + (2N-2) exp(-N / ((N-1) tau))), the regular simplex.
export function lossFloor(n, tau) {
  return n === 1 ? 0 : Math.log1p((2 * n - 2) * Math.exp(-n / ((n - 1) * tau)))
}
