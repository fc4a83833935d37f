// The line below the texts: how likely the undamaged model's words are in the damaged one, and what was done when.
import { EDGE, Plot, tone } from "./plot.js"
import { difference, spans } from "./turns.js"
/** @import { Paint } from "./dom.js" */
/** @import { Axis } from "./numbers.js" */
/** @import { Step, Turn } from "./turns.js" */

const [FLOOR, FOOT, STRIP, LETTER] = [EDGE.top + 90, EDGE.top + 112, 14, 6.4] // px: of the line, of the damage; sizes

/** @param {Paint} paint @param {number} width @param {{line: Axis, most: number, words: Record<string, string>}} data
 * @param {Step[]} steps @param {Turn[]} turns @param {number} pointed token
 * @param {(turn: Turn) => {said: string, strength: number}} tell words and strength (0 to 1) of a turn */
export function curve(paint, width, { line, most, words }, steps, turns, pointed, tell) {
  const plot = new Plot(paint, line, most, [EDGE.left, width], [EDGE.top, FLOOR])
  const [accent, first, shares] = [tone("accent"), difference(steps), steps.map(({ p }) => p)]
  plot.write("title", 0, 11, line.title)
  line.ticks.forEach(([value, text], n) => plot.tick(`${n}`, plot.y(value), text))
  plot.tick("damage", FOOT, words.damage)
  if (pointed >= 0) plot.column("pointed", pointed, { fill: accent, "fill-opacity": 0.3 })
  if (first >= 0) plot.write("first", plot.x(first), plot.top - 5, "◆", "middle", { class: "end" })
  plot.line("lines/p", shares, { stroke: accent, "stroke-width": 2 })
  const end = plot.places(shares).at(-1)
  if (end) paint("front/end", "circle", { cx: end[0], cy: end[1], r: 3.5, fill: accent })
  let free = width
  for (const [turn, after] of spans(turns, steps.length).reverse()) {
    const { said, strength } = tell(turn)
    const [x, height] = [plot.left + turn[0] * plot.step, STRIP * (0.3 + 0.7 * strength)]
    const place = { x, y: FOOT - height, width: (after - turn[0]) * plot.step, height }
    paint(`bars/${turn[0]}`, "rect", { ...place, fill: accent, "fill-opacity": 0.6 })
    const from = Math.min(x, width - LETTER * said.length)
    if (from + LETTER * said.length > free) continue // over the words of a later turn
    plot.write(`turn-${turn[0]}`, from, FOOT + 14, said)
    free = from - LETTER
  }
}
