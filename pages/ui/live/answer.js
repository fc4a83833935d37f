// An answer of the lab, and what it says in words: of a cell, and of the likeliest next words.
import { make } from "./dom.js"
import { digits } from "./numbers.js"
import { fill, write } from "./sentences.js"
/** @typedef {[string, number]} Word and its probability */
/** @typedef {{ratio: (number | null)[][], entered: number[], mean: (number | null)[], words: Word[][],
 *   flipped: boolean[], says: string}} Hit what damage of one layer does */
/** @typedef {{layers: number, tokens: string[], after: string[], sink: {token: number} | null, dense: Word[][],
 *   band: number, hit: Record<string, Hit>}} Answer */
/** @typedef {{answer: Answer, hit: Hit, layer: number, fresh: boolean}} Seen what is on the screen */

/** What a cell holds, in words. @param {Record<string, string>} words @param {Seen} seen
 * @param {number} at layer @param {number} token */
export function read(words, { answer, hit, layer }, at, token) {
  const word = answer.tokens[token]
  if (at < 0) return fill(words.token, { word })
  const [before, after] = [answer.dense[token][0][0], hit.words[token][0][0]]
  if (at >= answer.layers) return fill(hit.flipped[token] ? words.becomes : words.remains, { word, before, after })
  const ratio = at < layer ? null : hit.ratio[at - layer][token]
  if (!ratio) return fill(words.untouched, { word, layer: at })
  return fill(words.drift, { word, layer: at, drift: digits(ratio * hit.entered[token]), ratio: digits(ratio) })
}

/** The five likeliest next words after a token, with and without the damage. @param {Record<string, string>} words
 * @param {Seen} seen @param {number} token */
export function nextWords(words, { answer, hit }, token) {
  const [flipped, dense, hurt] = [hit.flipped[token], answer.dense[token], hit.words[token]]
  const after = make("p", "after")
  write(after, fill(words.next, { word: answer.after[token] }))
  after.append(make("span", flipped ? "verdict flips" : "verdict", flipped ? words.new : words.same))
  const list = (/** @type {string} */ title, /** @type {Word[]} */ found) => {
    const rows = found.map(([word, share], n) => {
      const bar = make("i")
      bar.style.width = `${Math.max(1, 100 * share)}%`
      const kind = n === 0 ? (word === dense[0][0] ? "top" : "top other") : word === dense[0][0] ? "was" : ""
      const written = make("span", "share", `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`)
      return make("li", kind, make("span", "word", word), make("span", {}, bar), written)
    })
    return make("div", "list", make("h4", {}, title), make("ol", {}, ...rows))
  }
  return [after, list(words.dense, dense), list(words.hurt, hurt)]
}
