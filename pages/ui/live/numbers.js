// Arithmetic of pictures: scales, paths, digits, colours. Knows nothing of a page.
/** @typedef {{title: string, low: number, high: number, ticks: [number, string][], log?: boolean}} Axis */

/** @param {number} value @param {number} low @param {number} high */
export const clamp = (value, low, high) => Math.min(Math.max(value, low), high)

/** Place of a value on an axis, 0 to 1. @param {Pick<Axis, "low" | "high" | "log">} axis @param {number} value */
export function share({ low, high, log }, value) {
  const scale = log ? Math.log : Number
  return (scale(value) - scale(low)) / (scale(high) - scale(low))
}

/** Row of a table over all settings, the last running fastest. @param {number[]} counts @param {number[]} at */
export const rowOf = (counts, at) => counts.reduce((sum, count, n) => sum * count + at[n], 0)

/** Step between layers that are numbered, as charts of Python's number them. @param {number} layers */
export const stride = (layers) => [1, 2, 5, 10, 20, 50].find((each) => layers / each <= 8) ?? layers

/** SVG path through points; it is interrupted where there is none. @param {([number, number] | null)[]} points */
export const path = (points) =>
  points.map((at, n) => at && `${points[n - 1] ? "L" : "M"}${at[0].toFixed(1)} ${at[1].toFixed(1)}`).join("")

/** A number with two digits, three around 1. @param {number} value */
export function digits(value) {
  if (value === 0) return "0"
  const places = clamp(1 - Math.floor(Math.log10(Math.abs(value))), 0, 5)
  return value.toFixed(value >= 0.095 && value < 9.95 ? 2 : places)
}

/** A perplexity as Python writes it: `30.8`, `1,230`, `above 100,000`. @param {number} value */
export const significant = (value) => value > 1e5 ? "above 100,000" :
  value.toLocaleString("en", { maximumSignificantDigits: 3, minimumSignificantDigits: 3 })

/** A probability as it is written. @param {number} p */
export const percent = (p) => `${(100 * p).toFixed(p < 0.0995 ? 1 : 0)} %`

/** Place of a ratio between 1/3 and 3 on a log scale, 0 to 1. @param {number} ratio */
export const reach = (ratio) => clamp(share({ low: 1 / 3, high: 3, log: true }, ratio), 0, 1)

/** Colour at a place between the stops of a scale. @param {[number, string][]} stops @param {number} at */
export function mix(stops, at) {
  const n = clamp(stops.findLastIndex(([place]) => place <= at), 0, stops.length - 2)
  const [[low, from], [high, to]] = stops.slice(n)
  return `color-mix(in srgb, ${to} ${(100 * (at - low)) / (high - low)}%, ${from})`
}

/** Layer from which on the likeliest word stays what it ends as. @param {([string, number] | undefined)[]} words */
export const decided = (words) => words.findLastIndex((each) => each?.[0] !== words.at(-1)?.[0]) + 1

/** A word, cut at its end where it has no room. @param {string} word @param {number} room
 * @param {(text: string) => number} wide */
export function fitted(word, room, wide) {
  const cuts = [...word].map((_, n, letters) => (n ? `${letters.slice(0, -n).join("")}…` : word))
  return cuts.find((text) => wide(text) <= room) ?? cuts.at(-1) ?? ""
}
