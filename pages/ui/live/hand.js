// Layers set by hand, and what that costs: as core/plan/budget.py and core/plan/prediction.py compute it.
import { clamp } from "./numbers.js"
/** @typedef {{sparsity: number[], harm: (number | null)[][], loss: number, power: number, centre: number,
 *   ends: number[], terms: number[], spread: number[][], places: number[], shares: number[][], inverse: number[][],
 *   leaning: number[][], pulls: number[], half: number, constants: Record<string, number>}} Curves what predicts */

const EXACT = 1e-9
const sum = (/** @type {number[]} */ numbers) => numbers.reduce((a, b) => a + b, 0)
/** @param {number[]} one @param {number[]} other */
const dot = (one, other) => sum(one.map((value, n) => value * other[n]))

/** @param {number[][]} matrix @param {number[]} by */
const times = (matrix, by) => matrix.map((each) => dot(each, by))

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
export function predicted(row, { sparsity, harm, loss, ...curves }) {
  if (Math.max(...row) > sparsity[sparsity.length - 1] + EXACT) return null
  const harms = row.map((value, layer) => {
    const n = clamp(sparsity.findIndex((each) => each >= value - EXACT), 1, sparsity.length - 1)
    const share = (value - sparsity[n - 1]) / (sparsity[n] - sparsity[n - 1])
    const [from, to] = [n - 1, n].map((at) => harm[layer][at] ?? NaN)
    return from + clamp(share, 0, 1) * (to - from)
  })
  const { power, centre, ends: [low, high], terms, places, pulls, half, constants } = curves
  const { process, noise } = constants
  const x = Math.log(sum(harms.map((each) => each ** power))) / power - centre
  if (!(x > -Infinity)) return Number.isNaN(x) ? null : [loss, loss, loss].map(Math.exp) // nothing is pruned
  const inside = (/** @type {number} */ to) => clamp(to, low, high)
  const basis = (/** @type {number} */ to) => [1, to, inside(to) * (2 * to - inside(to))]
  const total = sum(harms)
  const shares = harms.map((each) => Math.sqrt(each / total))
  const resemblance = times(curves.shares, shares).map((each) => process * Math.exp((each - 1) / constants.reach))
  const alike = (/** @type {number} */ to) =>
    resemblance.map((each, n) => each * Math.exp(-((inside(to) - places[n]) ** 2) / 2))
  const at = high > low ? ((inside(x) - low) / (high - low)) * constants.steps : 0
  let [before, now] = [-Infinity, -Infinity] // never falling from step to step
  for (let n = 0; n <= Math.ceil(at); n++) {
    const to = low + (n / constants.steps) * (high - low)
    ;[before, now] = [now, Math.max(now, dot(basis(to), terms) + dot(alike(to), pulls))]
  }
  const [first, last] = [low, high].map((end) => terms[1] + 2 * terms[2] * end)
  const below = Math.max(first, constants.flattest) * Math.min(x - low, 0)
  const above = Math.max(last, 0) * Math.max(x - high, 0)
  const middle = (at ? before + (at - Math.ceil(at) + 1) * (now - before) : now) + below + above
  const known = alike(x)
  const open = basis(x).map((each, n) => each - dot(known, curves.leaning.map((line) => line[n])))
  const variance = process + noise + dot(open, times(curves.spread, open)) - dot(known, times(curves.inverse, known))
  const reach = half * Math.sqrt(Math.max(variance, noise))
  return [0, -reach, reach].map((off) => Math.exp(loss + Math.exp(middle + off)))
}
