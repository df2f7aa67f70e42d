// A similarity matrix as a person brings it: pasted or from a CSV file. Checked, bounded; a problem is named, never guessed at.

export const MOST = 32
export const LONGEST = 40000
const APART = 1e-3 // two halves of a printed matrix may differ by a rounding

// Text → { s } with views in turn, or { problem, values }: the name of a sentence and what it mentions.
// Cells are separated by commas, semicolons, tabs or blanks; with semicolons or tabs a comma is a decimal comma. The diagonal
// is not read. `stacked`: all first views come before all second views.
export function parseMatrix(text, stacked = false) {
  if (text.length > LONGEST) return { problem: "own_long", values: { most: LONGEST } }
  const lines = text.normalize("NFKC").replace(/[−–—]/g, "-").replace(/[[\]()]/g, " ").split(/\r?\n/)
  const rows = lines.filter((line) => line.trim()).map(cellsOf)
  const m = rows.length
  for (const row of rows) if (row.length === m + 1 && row[m] === "") row.pop() // a separator at the end of the line
  if (m < 2 || m > MOST || m % 2) return { problem: "own_rows", values: { most: MOST, found: m } }
  const s = []
  for (let i = 0; i < m; i++) {
    if (rows[i].length !== m) return { problem: "own_ragged", values: { i: i + 1, count: m, found: rows[i].length } }
    s.push(rows[i].map((cell, k) => (i === k ? null : Number(cell || NaN))))
    const k = s[i].findIndex((x, at) => at !== i && !(Math.abs(x) <= 1))
    if (k >= 0) return { problem: "own_number", values: { i: i + 1, k: k + 1, text: rows[i][k].slice(0, 12) } }
  }
  return mirrored(s) ?? { s: stacked ? interleaved(s) : s }
}

function cellsOf(line) {
  if (/[;\t]/.test(line)) return line.split(/[;\t]/).map((cell) => cell.trim().replace(",", "."))
  return line.includes(",") ? line.split(",").map((cell) => cell.trim()) : line.trim().split(/\s+/)
}

function interleaved(s) {
  const order = s.map((_, at) => (at >> 1) + (at % 2) * (s.length / 2))
  return order.map((i) => order.map((k) => s[i][k]))
}

// s_ik and s_ki are one number; where a rounding sets them apart, their mean. Returns the problem, if there is one.
function mirrored(s) {
  for (let i = 0; i < s.length; i++) {
    for (let k = 0; k < i; k++) {
      if (Math.abs(s[i][k] - s[k][i]) > APART) return { problem: "own_symmetry", values: { i: i + 1, k: k + 1, a: s[i][k], b: s[k][i] } }
      s[i][k] = s[k][i] = (s[i][k] + s[k][i]) / 2
    }
  }
  return null
}
