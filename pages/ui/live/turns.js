// Turns: from which token on which layer is damaged, and how. Arithmetic alone; knows nothing of a page.
/** @typedef {[number, number, string]} Turn first token, layer, damage as it is written; an empty one heals */
/** @typedef {{at: number, dense: string | null, hurt: string | null, twin: string | null, p: number | null}} Step
 *   of writing; null: that text has ended */

/** Turns as a link says them: `8~16~gaussian:0.3:mlp,20~0~`. @param {string} text */
export const read = (text) => text.split(",").filter(Boolean).map((turn) => turn.split("~"))
  .map(([start, layer, damage]) => /** @type {Turn} */ ([Number(start), Number(layer), damage]))

/** @param {Turn[]} turns */
export const written = (turns) => turns.map((turn) => turn.join("~")).join(",")

/** The turns with one more from a token on: what came later is dropped, and what changes nothing is no turn.
 * @param {Turn[]} turns @param {Turn} turn @returns {Turn[]} */
export function changed(turns, [start, layer, damage]) {
  const kept = turns.filter(([earlier]) => earlier < start)
  const [, was, before] = kept.at(-1) ?? [0, 0, ""]
  return damage === before && (was === layer || !damage) ? kept : [...kept, [start, damage ? layer : 0, damage]]
}

/** The first step in which the texts differ, -1 while they do not. @param {Pick<Step, "dense" | "hurt">[]} steps */
export const difference = (steps) => steps.findIndex(({ dense, hurt }) => dense !== hurt)

/** Where the text written so far is damaged: each turn and the token after its last.
 * @param {Turn[]} turns @param {number} end tokens written */
export const spans = (turns, end) => turns
  .map((turn, n) => /** @type {[Turn, number]} */ ([turn, Math.min(turns[n + 1]?.[0] ?? end, end)]))
  .filter(([[start, , damage], after]) => damage && after > start)

/** The whole sentences of a text, and the rest of it where it is over. @param {string} text @param {boolean} over */
export function sentences(text, over) {
  const whole = text.match(/[^.!?…。！？\n]+(?:[.!?…。！？]+["”’)]*|\n|$)/g) ?? []
  const ended = over || /[.!?…。！？\n]["”’)]*\s*$/.test(text)
  return (ended ? whole : whole.slice(0, -1)).map((each) => each.trim()).filter(Boolean)
}
