// Layers set by hand, and what that costs: as core/plan/budget.py and core/plan/prediction.py compute it.
import { clamp } from "./numbers.js"
/** @typedef {{sparsity: number[], harm: number[][], loss: number, power: number, centre: number, ends: number[],
 *   terms: number[], spread: number[][], half: number, flattest: number}} Curves what predicts */

const EXACT = 1e-9
const sum = (/** @type {number[]} */ numbers) => numbers.reduce((a, b) => a + b, 0)
/** @param {number[]} one @param {number[]} other */
const dot = (one, other) => sum(one.map((value, n) => value * other[n]))

/** Some layers held, the others shifted by one number to meet the budget; null where none does.
 * @param {number[]} row @param {(number | null)[]} hand @param {number[]} weights @param {number} target
 * @param {number[]} bounds */
export function pinned(row, hand, weights, target, [low, high]) {
  const at = (/** @type {number} */ shift) => row.map((value, layer) => hand[layer] ?? clamp(value + shift, low, high))
  const spent = (/** @type {number} */ shift) => dot(at(shift), weights) - target * sum(weights)
  const corners = row.flatMap((value) => [low - value, high - value]).sort((a, b) => a - b)
  const after = corners.findIndex((corner) => spent(corner) >= -EXACT * sum(weights))
  if (after < 0 || (after === 0 && spent(corners[0]) > EXACT * sum(weights))) return null
  const [from, to] = [corners[Math.max(after - 1, 0)], corners[after]]
  const way = spent(to) - spent(from)
  return at(way ? from - (spent(from) / way) * (to - from) : to)
}

/** Perplexity and the ends of its interval; null where a layer was not measured as sparse.
 * @param {number[]} row @param {Curves} curves */
export function predicted(row, { sparsity, harm, loss, power, centre, ends, terms, spread, half, flattest }) {
  if (Math.max(...row) > sparsity[sparsity.length - 1] + EXACT) return null
  const harms = row.map((value, layer) => {
    const n = clamp(sparsity.findIndex((each) => each >= value - EXACT), 1, sparsity.length - 1)
    const share = (value - sparsity[n - 1]) / (sparsity[n] - sparsity[n - 1])
    return harm[layer][n - 1] + clamp(share, 0, 1) * (harm[layer][n] - harm[layer][n - 1])
  })
  const x = Math.log(sum(harms.map((each) => each ** power))) / power - centre
  if (x === -Infinity) return [loss, loss, loss].map(Math.exp) // nothing is pruned
  const inside = (/** @type {number} */ to) => clamp(to, ends[0], ends[1])
  const basis = (/** @type {number} */ to) => [1, to, inside(to) * (2 * to - inside(to))]
  const [first, last] = ends.map((end) => terms[1] + 2 * terms[2] * end)
  const turn = first * last < 0 ? -terms[1] / (2 * terms[2]) : 0
  const rising = clamp(x, first < 0 ? turn : -Infinity, last < 0 ? turn : Infinity)
  const flat = Math.max(flattest - Math.max(first, 0), 0) * Math.min(x - ends[0], 0)
  const middle = dot(basis(rising), terms) + flat
  const reach = half * Math.sqrt(1 + Math.max(dot(basis(x), spread.map((each) => dot(each, basis(x)))), 0))
  return [0, -reach, reach].map((off) => Math.exp(loss + Math.exp(middle + off)))
}
