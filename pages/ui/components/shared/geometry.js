// Which similarity matrices are cosines of real unit vectors, and the vectors: the twin of the last part of
// simclr_core/similarity.py. Matrices are arrays of rows; no DOM in here.

const EIGENVALUE_TOLERANCE = 1e-9 // rounding of a singular Gram matrix, as in Python

// Eigenvalues, least first, and eigenvectors (basis[c] belongs to values[c]) of a symmetric matrix, by cyclic Jacobi
// rotations: exact to rounding, and short. Golub & Van Loan, Matrix Computations, algorithm 8.5.3.
export function eigen(symmetric) {
  const m = symmetric.length
  const a = symmetric.map((row) => Float64Array.from(row))
  const basis = a.map((_, i) => Float64Array.from({ length: m }, (_, k) => (i === k ? 1 : 0))) // rows are eigenvectors
  const size = a.reduce((sum, row) => sum + row.reduce((part, x) => part + x * x, 0), 0)
  for (let sweep = 0; sweep < 50 && offDiagonal(a) > 1e-30 * size; sweep++) {
    for (let p = 0; p < m - 1; p++) for (let q = p + 1; q < m; q++) if (a[p][q] !== 0) rotate(a, basis, p, q)
  }
  const order = [...a.keys()].sort((x, y) => a[x][x] - a[y][y])
  return { values: order.map((c) => a[c][c]), basis: order.map((c) => basis[c]) }
}

function offDiagonal(a) {
  let sum = 0
  for (let p = 0; p < a.length; p++) for (let q = 0; q < p; q++) sum += 2 * a[p][q] * a[p][q]
  return sum
}

// One rotation that makes a[p][q] zero.
function rotate(a, basis, p, q) {
  const theta = (a[q][q] - a[p][p]) / (2 * a[p][q])
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1))
  const c = 1 / Math.hypot(t, 1)
  const s = t * c
  turn(a[p], a[q], c, s)
  for (let i = 0; i < a.length; i++) {
    const row = a[i]
    const kept = row[p]
    row[p] = c * kept - s * row[q]
    row[q] = s * kept + c * row[q]
  }
  turn(basis[p], basis[q], c, s)
}

function turn(x, y, c, s) {
  for (let k = 0; k < x.length; k++) {
    const kept = x[k]
    x[k] = c * kept - s * y[k]
    y[k] = s * kept + c * y[k]
  }
}

// The matrix with diagonal 1: what is decomposed.
function gram(s) {
  return s.map((row, i) => Array.from(row, (x, k) => (i === k ? 1 : x)))
}

// Below 0 no unit vectors have these cosines.
export function smallestEigenvalue(s) {
  return eigen(gram(s)).values[0]
}

export function realisable(least, m) {
  return least >= -EIGENVALUE_TOLERANCE * m
}

// The closest matrix that is the cosine matrix of real vectors: alternating projections with Dykstra's correction
// (Higham 2002, algorithm 3.3).
export function nearestRealisable(s, steps = 500, tolerance = 1e-10) {
  let y = gram(s)
  if (eigen(y).values[0] >= 0) return y
  let correction = y.map((row) => row.map(() => 0))
  for (let step = 0; step < steps; step++) {
    const r = y.map((row, i) => row.map((x, k) => x - correction[i][k]))
    const x = clipEigenvalues(r)
    correction = x.map((row, i) => row.map((v, k) => v - r[i][k]))
    const before = y
    y = gram(x)
    if (y.every((row, i) => row.every((v, k) => Math.abs(v - before[i][k]) < tolerance))) break
  }
  return cosines(squareRoot(clipEigenvalues(y)))
}

function clipEigenvalues(s) {
  const { values, basis } = eigen(s)
  const out = s.map((row) => new Array(row.length).fill(0))
  values.forEach((value, c) => {
    if (value > 0) for (let i = 0; i < out.length; i++) for (let k = 0; k < out.length; k++) out[i][k] += value * basis[c][i] * basis[c][k]
  })
  return out
}

// Rows whose inner products are s, in as many dimensions as s has eigenvalues above rounding, the longest first.
function squareRoot(s) {
  const { values, basis } = eigen(s)
  const kept = [...values.keys()].filter((c) => values[c] > EIGENVALUE_TOLERANCE).reverse()
  return s.map((_, i) => kept.map((c) => Math.sqrt(values[c]) * basis[c][i]))
}

// Unit vectors with these cosines, one row a view. Call it for realisable matrices only.
export function vectorsFrom(s) {
  return squareRoot(gram(s)).map(unit)
}

function unit(z) {
  const length = Math.sqrt(z.reduce((sum, x) => sum + x * x, 0))
  return z.map((x) => x / length)
}

// Cosine of every row with every row, in [-1, 1], diagonal 1.
export function cosines(z) {
  const u = z.map(unit)
  const s = u.map(() => new Array(u.length).fill(1))
  for (let i = 0; i < u.length; i++) {
    for (let k = 0; k < i; k++) {
      let dot = 0
      for (let c = 0; c < u[i].length; c++) dot += u[i][c] * u[k][c]
      s[i][k] = s[k][i] = Math.min(Math.max(dot, -1), 1)
    }
  }
  return s
}

// One step of gradient descent on the batch loss, z ← (z − rate · ∇L) / ‖·‖ row by row. The gradient lies along the sphere:
// ∇_i = g − (g·z_i) z_i with g = Σ_k (∂L/∂s_ik + ∂L/∂s_ki) z_k. `gradient` holds ∂L/∂s of `s`, the cosines of z.
export function descend(z, gradient, rate) {
  return z.map((row, i) => {
    const g = new Array(row.length).fill(0)
    for (let k = 0; k < z.length; k++) {
      if (k === i) continue
      const weight = gradient[i][k] + gradient[k][i]
      for (let c = 0; c < g.length; c++) g[c] += weight * z[k][c]
    }
    const along = g.reduce((sum, x, c) => sum + x * row[c], 0)
    return unit(row.map((x, c) => x - rate * (g[c] - along * x)))
  })
}
