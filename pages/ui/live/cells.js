// Layers by tokens, the output at the top: cells, and what stands around.
import { clamp, decided, digits, fitted, mix, reach } from "./numbers.js"
import { tone } from "./plot.js"
import { fill } from "./sentences.js"
/** @import { Paint } from "./dom.js" */
/** @import { Seen, Word } from "./lab.js" */
/** @typedef {ReturnType<typeof placed>} Place */

const TALL = 390 // px of all layers, where words lie flat enough: 13 of each of 30, which a finger can hit
const TALLER = 15.5 // px of each, where words stand in the cells
const ROOM = 44 // px of a cell that holds a word
const TINT = 0.4 // of a cell's colour under a word: its contrast is tested
const SIDE = 124 // px beside narrower cells, for the words of the marked token
const FLAT = 52 // px of such words
const TOP = 44 // px above them, for the mark of the first token and the predictions that change
const [LEFT, RIGHT] = [34, 8] // px for the numbers of layers, and after the last token
const TILT = 38 // degrees of words that are wider than their column
const LINE = 12 // px of a line of words
export const GROUPS = ["back", "cells", "rows", "marks", "words", "labels", "front"]

/** Where everything lies, in px; `widest` is the widest word's; `worded`: with next words. @param {number} width
 * @param {number} layers @param {number} tokens @param {number} widest @param {boolean} worded */
export function placed(width, layers, tokens, widest, worded) {
  const side = worded && (width - LEFT - RIGHT) / tokens < ROOM ? SIDE : 0
  const across = (width - LEFT - RIGHT - side) / tokens
  const turn = widest + 4 <= across ? 0 : across >= 16 ? TILT : 90 // degrees
  const below = turn ? Math.min(104, 14 + widest * Math.sin((turn * Math.PI) / 180)) : 24
  const tall = worded ? TALLER * layers : TALL - Math.max(0, below - FLAT) // all of it stays on the screen
  const row = tall / layers
  return {
    width, layers, tokens, across, row, turn, side, whole: worded && !side, left: LEFT, top: TOP, floor: TOP + tall,
    height: TOP + tall + below,
    edge: LEFT + tokens * across,
    x: (/** @type {number} */ token) => LEFT + (token + 0.5) * across,
    y: (/** @type {number} */ layer) => TOP + (layers - 0.5 - layer) * row,
  }
}

/** Cell at a place, which may lie beside all. @param {Place} at @param {number} x @param {number} y */
export function cellAt(at, x, y) {
  const token = Math.floor((x - LEFT) / at.across)
  return { token, layer: at.layers - 1 - Math.floor((y - TOP) / at.row), inside: token >= 0 && token < at.tokens }
}

/** The cells that the wave has reached, and dots where nothing arrived.
 * @param {Paint} paint @param {Place} at @param {Seen} seen @param {number} front
 * @param {Record<string, any>} colours */
export function cells(paint, at, { hit, layer }, front, colours) {
  for (let k = 0; k < at.layers; k++)
    for (let t = 0; t < at.tokens; t++) {
      const ratio = k < layer ? null : hit.ratio[k - layer][t]
      const shown = ratio ? clamp(front - k + 1, 0, 1) : 0
      const [cx, cy] = [at.x(t), at.y(k)]
      if (!ratio || !shown) {
        if (!at.whole) paint(`cells/none-${k}-${t}`, "circle", { cx, cy, r: 0.75, fill: colours.faint })
        continue
      }
      const size = at.whole ? 1 : (0.3 + 0.7 * clamp((Math.log2(ratio) + 3) / 3, 0, 1)) * (0.4 + 0.6 * shown)
      const [width, height] = [at.across, at.row].map((room) => Math.max(2, (room - 1.5) * size))
      const place = { x: cx - width / 2, y: cy - height / 2, width, height, rx: Math.min(2.5, height / 3) }
      const colour = k === layer ? colours.accent : mix(colours.diverging, reach(ratio))
      paint(`cells/cell-${k}-${t}`, "rect", { ...place, fill: colour, "fill-opacity": shown * (at.whole ? TINT : 1) })
    }
}

/** Next words of a token after each layer: the hurt model's where the wave has been, else the dense one's.
 * @param {Seen} seen @param {number} token @param {number} front @returns {(Word | undefined)[]} */
export const spoken = ({ lens, layer }, token, front = Infinity) =>
  lens?.dense.map((row, k) => (k < layer || k > front ? row : lens.hurt?.[k - layer])?.[token][0]) ?? []

/** Layers at which that is decided, in the dense and in the hurt model. @param {Seen} seen @param {number} token */
export const decisions = (seen, token) =>
  seen.lens?.hurt ? [decided(spoken(seen, token, -1)), decided(spoken(seen, token))] : []

/** Next words in the cells, or beside them those of the marked token, and where that is decided.
 * @param {Paint} paint @param {Place} at @param {Seen} seen
 * @param {{token: number, front: number, after: string, wide: (text: string) => number}} now */
export function wording(paint, at, seen, { token, front, after, wide }) {
  const beside = at.edge + 20
  if (at.side) paint("words/after", "text", { x: beside, y: TOP - 4 }, fitted(after, at.width - beside, wide))
  for (let t = at.side ? token : 0; t < (at.side ? token + 1 : at.tokens); t++) {
    const [x, end] = at.side ? [beside, at.width] : [at.x(t) - at.across / 2 + 4, at.x(t) + at.across / 2 - 4]
    spoken(seen, t, front).forEach((said, k) => {
      if (!said) return
      const [y, look] = [at.y(k), said[0] === seen.lens?.dense[k][t][0][0] ? "said" : "said other"]
      const share = at.side ? `${(100 * said[1]).toFixed(0)} %` : ""
      paint(`words/${k}-${t}`, "text", { class: look, x, y: y + 3.5 }, fitted(said[0], end - x - wide(share), wide))
      if (share) paint(`words/share-${k}`, "text", { class: "said", x: end, y: y + 3.5, "text-anchor": "end" }, share)
      const bar = { x, y: y + at.row / 2 - 2.5, width: (end - x) * said[1], height: 1.5, fill: tone("undecided") }
      paint(`words/bar-${k}-${t}`, "rect", bar)
    })
  }
  decisions(seen, token).forEach((layer, hurt) => {
    if (hurt && front < layer) return
    const x = at.side ? at.edge + 6 + 8 * hurt : at.x(token) + (hurt - 0.5) * at.across
    const look = { stroke: tone(hurt ? "accent" : "ink"), "stroke-width": 2, "stroke-dasharray": hurt ? "none" : "2 3" }
    paint(`front/since-${hurt}`, "line", { x1: x, x2: x, y1: at.y(layer), y2: at.top, ...look })
    paint(`front/decided-${hurt}`, "circle", { cx: x, cy: at.y(layer), r: 3.5, fill: look.stroke })
  })
}

/** What stands around the cells: marks, numbers of layers, words.
 * @param {Paint} paint @param {Place} at @param {Seen} seen
 * @param {{token: number, front: number, enters: string, words: Record<string, string>}} now */
export function surroundings(paint, at, { answer, hit, layer }, { token, front, enters, words }) {
  const accent = tone("accent")
  const last = at.layers - 1
  const column = { x: at.x(token) - at.across / 2, width: at.across, y: TOP - 14, height: at.floor - TOP + 16, rx: 3 }
  paint("back/column", "rect", { ...column, fill: accent, "fill-opacity": 0.1 })
  const rows = { x: LEFT - 1.5, width: at.edge - LEFT + 3, height: at.row + 3, rx: 3, fill: "none" }
  paint("rows/entry", "rect", { ...rows, y: at.y(layer) - at.row / 2 - 1.5, stroke: accent, "stroke-width": 1.5 })
  const wave = { x: LEFT, width: at.edge - LEFT, y: at.y(front) + at.row / 2, height: 2, fill: accent }
  if (Number.isFinite(front)) paint("front/wave", "rect", wave)

  hit.flipped.forEach((flipped, t) => { // predictions that change
    const [x, y, size] = [at.x(t), TOP - 7, Math.min(4.5, at.across * 0.42)]
    const d = `M${x} ${y - size} l${size} ${size} l${-size} ${size} l${-size} ${-size}z`
    if (flipped && front >= last) paint(`marks/flip-${t}`, "path", { d, fill: tone("ink") })
    else paint(`marks/dot-${t}`, "circle", { cx: x, cy: y, r: 1, fill: tone("undecided") })
  })
  told(paint, at, { answer, hit, layer }, enters, words)

  for (let k = 0; k < at.layers; k++) { // numbers of layers
    const near = Math.abs(k - layer) * at.row < LINE || (k !== last && (last - k) * at.row < LINE)
    const own = k === layer
    const label = { x: LEFT - 7, y: at.y(k) + 4, "text-anchor": "end", class: own ? "own" : "" }
    if (own || (!near && (k % 5 === 0 || k === last))) paint(`labels/layer-${k}`, "text", label, k)
  }
  paint("labels/layer", "text", { x: 0, y: at.floor + 14 }, words.layer)

  const every = at.turn === 90 ? Math.ceil(LINE / at.across) : 1 // words that would lie over one another are left out
  answer.tokens.forEach((word, t) => {
    const own = t === token
    if (!own && (t % every || Math.abs(t - token) < every)) return
    const [x, y] = [at.x(t) + (at.turn ? 3 : 0), at.floor + (at.turn ? 11 : 16)]
    const look = { class: own ? "word own" : "word", "font-size": at.turn === 90 ? 11 : 13 }
    const lie = { transform: `translate(${x} ${y}) rotate(${-at.turn})`, "text-anchor": at.turn ? "end" : "middle" }
    paint(`labels/token-${t}`, "text", { ...look, ...lie }, word)
  })
}

/** What is told where it stands: where the damage enters, and what the sink is.
 * @param {Paint} paint @param {Place} at @param {Pick<Seen, "answer" | "hit" | "layer">} seen @param {string} enters
 * @param {Record<string, string>} words */
function told(paint, at, { answer: { sink }, hit, layer }, enters, words) {
  const x = at.x(Math.max(0, hit.ratio[0].findIndex(Boolean))) // of the first token that is hurt
  const y = at.y(layer) + (layer >= 2 ? at.row / 2 + 15 : -at.row / 2 - 6)
  const left = x > at.width / 2
  const look = { class: "enters", x: left ? x + 5 : x - 5, y, "text-anchor": left ? "end" : "start" }
  paint("front/enters", "text", look, at.whole ? "" : left ? `${enters} ▲` : `▲ ${enters}`)
  if (!sink) return
  ;[words.sink, fill(words.longer, { longer: digits(sink.longer) })].forEach((line, n) =>
    paint(`front/sink-${n}`, "text", { class: "sink", x: at.x(sink.token) - at.across / 2 + 1, y: 10 + 14 * n }, line))
}
