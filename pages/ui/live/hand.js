// Layers set by hand, and what that costs: as core/plan/budget.py and core/plan/prediction.py compute it.
import { clamp } from "./numbers.js"
/** @typedef {{sparsity: number[], harm: (number | null)[][], loss: number, power: number, centre: number,
 *   ends: number[], terms: number[], spread: number[][], half: number, flattest: number}} Curves what predicts */

const EXACT = 1e-9
const sum = (/** @type {number[]} */ numbers) => numbers.reduce((a, b) => a + b, 0)
/** @param {number[]} one @param {number[]} other */
const dot = (one, other) => sum(one.map((value, n) => value * other[n]))

/** @param {number[]} units of a layer @param {number[]} weights */
export const mean = (units, weights) => dot(units, weights) / sum(weights)

/** What shifts units to a mean inside the bounds; null where nothing does.
 * @param {number[]} units @param {number[]} weights @param {number} wanted @param {number[]} bounds */
function shift(units, weights, wanted, [least, most]) {
  const off = (/** @type {number} */ by) => mean(units.map((value) => clamp(value + by, least, most)), weights) - wanted
  const corners = units.flatMap((value) => [least - value, most - value]).sort((a, b) => a - b)
  let [from, to] = [0, corners.length - 1]
  if (!(off(corners[from]) <= EXACT && off(corners[to]) >= -EXACT)) return null
  for (let n = to >> 1; n > from; n = (from + to) >> 1) [from, to] = off(corners[n]) < 0 ? [n, to] : [from, n]
  const [low, way] = [off(corners[from]), off(corners[to]) - off(corners[from])]
  return corners[from] - (way && low / way) * (corners[to] - corners[from])
}

/** Linears of layers, some held at a mean, all others shifted by one number to meet the budget; null where none does.
 * @param {number[][]} base before any shift @param {number[]} means of layers @param {(number | null)[]} hand
 * @param {number[][]} weights @param {number} target @param {number[]} bounds */
export function pinned(base, means, hand, weights, target, bounds) {
  const inside = (/** @type {number[]} */ units) => units.map((value) => clamp(value, bounds[0], bounds[1]))
  const own = base.map((units, layer) => Number(shift(units, weights[layer], hand[layer] ?? means[layer], bounds)))
  const moved = base.map((units, layer) => units.map((value) => value + own[layer]))
  const free = (/** @type {number[][]} */ rows) => rows.filter((_, layer) => hand[layer] === null).flat()
  const held = sum(moved.map((units, layer) => (hand[layer] === null ? 0 : dot(inside(units), weights[layer]))))
  const left = (target * sum(weights.flat()) - held) / sum(free(weights))
  const by = shift(free(moved), free(weights), left, bounds)
  const more = moved.map((_, layer) => (hand[layer] === null ? Number(by) : 0))
  return by === null ? null : moved.map((units, layer) => inside(units.map((value) => value + more[layer])))
}

/** Perplexity and the ends of its interval; null where what that does to a layer was not measured.
 * @param {number[]} row means of layers @param {Curves} curves */
export function predicted(row, { sparsity, harm, loss, power, centre, ends, terms, spread, half, flattest }) {
  if (Math.max(...row) > sparsity[sparsity.length - 1] + EXACT) return null
  const harms = row.map((value, layer) => {
    const n = clamp(sparsity.findIndex((each) => each >= value - EXACT), 1, sparsity.length - 1)
    const share = (value - sparsity[n - 1]) / (sparsity[n] - sparsity[n - 1])
    const [from, to] = [n - 1, n].map((at) => harm[layer][at] ?? NaN)
    return from + clamp(share, 0, 1) * (to - from)
  })
  const x = Math.log(sum(harms.map((each) => each ** power))) / power - centre
  if (!(x > -Infinity)) return Number.isNaN(x) ? null : [loss, loss, loss].map(Math.exp) // nothing is pruned
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
