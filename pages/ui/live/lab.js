// A sentence, a damaged layer, and what the network does with it. Every number and every word comes from Python: moving
// the layer or the token picks another part of the answers it sent; what is not there is another question.
import { cellAt, cells, decisions, GROUPS, placed, spoken, surroundings, wording } from "./cells.js"
import { Controls } from "./controls.js"
import { make, Painter, vector, within } from "./dom.js"
import { digits, percent } from "./numbers.js"
import { mounted, Picture } from "./runtime.js"
import { fill, write } from "./sentences.js"
import { Wave } from "./wave.js"
/** @import { State } from "./runtime.js" */
/** @typedef {[string, number]} Word and its probability */
/** @typedef {{ratio: (number | null)[][], entered: number[], mean: (number | null)[], words: Word[][],
 *   flipped: boolean[], says: string}} Hit what damage of one layer does */
/** @typedef {{layers: number, tokens: string[], after: string[], sink: {token: number, longer: number} | null,
 *   dense: Word[][], hit: Record<string, Hit>}} Answer */
/** @typedef {{dense: Word[][][], hurt?: Word[][][]}} Lens next words, (layers, tokens, 1); hurt from its layer on */
/** @typedef {{answer: Answer, hit: Hit, layer: number, fresh: boolean, lens?: Lens}} Seen what is on the screen */
/** @typedef {{label: string, enters: string, size: string, stops: Record<string, string>, usual: number,
 *   choosy: boolean}} Kind of damage */
/** @typedef {import("./runtime.js").Data & {sentence: string, kinds: Kind[], answers: Record<string, string>,
 *   lenses: Record<string, string>, fallback: string, legend: string[]}} Data */

/** @extends {Picture<Data>} */
class Grid extends Picture {
  svg = vector("svg", { "aria-hidden": "true" })
  grid = make("div", { className: "grid", tabIndex: 0, role: "slider" }, this.svg)
  tip = make("div", { className: "tip", ariaHidden: "true", hidden: true })
  picture = make("div", "picture", this.grid, this.tip)
  says = make("p", { className: "says", ariaLive: "polite" })
  reads = make("p", "reads worded")
  panel = make("div", "controls")
  next = make("div", "next")
  controls = new Controls(this, this.panel)
  wave = new Wave(() => [this.look().layer, this.look().answer.layers - 1], () => this.draw(), this.still)
  painter = new Painter(this.svg, GROUPS)
  pen = /** @type {CanvasRenderingContext2D} */ (make("canvas").getContext("2d"))
  /** @type {Map<string, Answer>} */ answers = new Map()
  /** @type {Map<string, {dense: Word[][][], hurt: Record<string, Word[][][]>}>} */ lenses = new Map()
  /** @type {Seen | null} */ seen = null
  /** @type {number | null} */ pointed = null // token under the mouse
  /** @type {MouseEvent | null} */ over = null // where the mouse is, or the finger was
  played = ""
  moves = "" // by the drag under way: a layer keeps the token, a token the layer

  build() {
    const { legend, words } = this.data
    const [title, low, middle, high, ...marks] = legend.map((text, n) => make("span", n > 5 ? "worded" : "", text))
    const key = { className: "legend", ariaHidden: "true" }
    const scale = make("div", key, title, make("span", "scale"), make("span", "ends", low, middle, high), ...marks)
    const { button, slider, at } = this.wave
    slider.ariaLabel = words.transport
    const transport = make("div", "transport", button, slider, at)
    const panel = make("div", "panel", this.says, transport, this.reads, this.panel, scale)
    this.root.append(make("div", "seen", this.picture, this.next), panel)
    this.drag(this.grid, (event) => this.picked(event), (event) => this.hover(event), (before, pressed, event) => {
      const dragged = event.pointerType === "mouse" && pressed.layer !== this.state.layer
      if (before.layer !== this.state.layer && !dragged && !this.still.matches) this.wave.play()
    })
    const said = { ariaLabel: words.grid, ariaOrientation: "vertical", ariaValueMin: 0 }
    Object.assign(this.grid, said, { onkeydown: (/** @type {KeyboardEvent} */ event) => this.press(event) })
  }

  renew() {
    for (const [key, text] of Object.entries(this.data.answers)) {
      const [answer, known] = [/** @type {Answer} */ (JSON.parse(text)), this.answers.get(key)]
      this.answers.set(key, { ...answer, hit: { ...known?.hit, ...answer.hit } })
    }
    for (const [key, text] of Object.entries(this.data.lenses)) this.lenses.set(key, JSON.parse(text))
  }

  leave() {
    this.wave.rest()
  }

  /** @param {State} change */
  move(change) {
    if ("kind" in change) change.size = this.data.kinds[change.kind].usual
    if ("only" in change) change.token = this.token
    this.wave.rest()
    super.move(change)
  }

  /** Name of the question. */
  get asked() {
    const { kind, size, only, first, token } = this.state
    const { choosy, stops } = this.data.kinds[kind]
    const where = only ? token : first || !choosy ? "all" : "after_first"
    return `${this.data.sentence}|${Object.keys(stops)[size]}|${where}`
  }

  /** The answer to the question, or the last one, or an example until there is any. @returns {Seen} */
  look() {
    const [answer, known, layer] = [this.answers.get(this.asked), this.lenses.get(this.asked), this.state.layer]
    const lens = known && { dense: known.dense, hurt: known.hurt[layer] }
    if (answer?.hit[layer]) return (this.seen = { answer, hit: answer.hit[layer], layer, fresh: true, lens })
    if (this.seen) return (this.seen = { ...this.seen, fresh: false })
    const example = /** @type {Answer} */ (this.answers.get(this.data.fallback))
    const nearest = Math.min(layer, example.layers - 1)
    return (this.seen = { answer: example, hit: example.hit[nearest], layer: nearest, fresh: false })
  }

  /** Token that is marked. */
  get token() {
    const last = this.look().answer.tokens.length - 1
    return this.state.token < 0 || this.state.token > last ? last : this.state.token
  }

  get place() {
    const { layers, tokens } = this.look().answer
    this.pen.font = `13px ${getComputedStyle(this.root).fontFamily}`
    const widest = Math.max(...tokens.map((word) => this.pen.measureText(word).width))
    return placed(this.picture.clientWidth, layers, tokens.length, widest, Boolean(this.state.words))
  }

  /** @param {MouseEvent} event */
  under(event) {
    const [x, y] = within(this.grid, event)
    return cellAt(this.place, x, y)
  }

  /** @param {MouseEvent} event */
  picked(event) {
    const { token, layer, inside } = this.under(event)
    const onRows = layer >= 0 && layer < this.look().answer.layers
    if (event.type === "pointerdown") this.moves = onRows ? "layer" : "token"
    else this.over = event
    if (this.moves === "layer") return onRows ? { layer } : {}
    return inside ? { token } : {}
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const { token, state: { layer } } = this
    const { layers, tokens } = this.look().answer
    /** @type {Record<string, State>} */ const ways = {
      ArrowUp: { layer: layer + 1 }, ArrowDown: { layer: layer - 1 }, Home: { layer: 0 }, End: { layer: layers - 1 },
      ArrowRight: { token: token + 1 }, ArrowLeft: { token: token - 1 }, " ": {},
    }
    const way = ways[event.key]
    if (!way || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    if (event.key === " ") return this.wave.toggle()
    const to = { layer, token, ...way }
    if (to.layer < 0 || to.layer >= layers || !(to.token in tokens)) return
    this.move(way)
    this.settle()
  }

  /** @param {MouseEvent | null} event */
  hover(event) {
    this.over = event
    this.point()
  }

  /** What is under the mouse, in words. */
  point() {
    const event = this.over
    const cell = event && this.under(event)
    this.pointed = cell?.inside ? cell.token : null
    this.tip.hidden = this.pointed === null
    if (event && cell?.inside) {
      const said = [read, next].slice(0, 1 + this.state.words)
      this.tip.textContent = said.map((each) => each(this.data.words, this.look(), cell.layer, cell.token)).join("\n")
      const [x, y] = within(this.picture, event)
      const translate = x < this.picture.clientWidth / 2 ? "14px -34px" : "calc(-100% - 14px) -34px"
      Object.assign(this.tip.style, { left: `${x}px`, top: `${y}px`, translate })
    }
    this.list()
  }

  draw() {
    if (!this.root.clientWidth) return
    const [seen, at, { data, state, token, wave: { front } }] = [this.look(), this.place, this]
    this.svg.style.height = `${at.height}px`
    this.svg.setAttribute("viewBox", `0 0 ${at.width} ${at.height}`)
    this.grid.dataset.shape = JSON.stringify(at) // for who points at it
    const now = { token, front, enters: data.kinds[state.kind].enters, words: data.words }
    const after = fill(data.words.after, { word: seen.answer.tokens[token] })
    this.pen.font = this.pen.font.replace("13px", "bold 11px") // of words in cells
    const wide = (/** @type {string} */ text) => this.pen.measureText(text).width
    this.painter.draw((paint) => {
      cells(paint, at, seen, front, data.colours)
      if (state.words) wording(paint, at, seen, { token, front, after, wide })
      surroundings(paint, at, seen, now)
    })
    this.speak(seen)
    this.wave.say(data.words, (layer) => {
      const mean = seen.hit.mean[layer - seen.layer]
      return layer === seen.layer ? data.words.enters : mean ? `${digits(mean)}×` : ""
    }, (layer) => (this.reads.textContent = state.words ? next(data.words, seen, layer, token) : ""))
    this.settings(seen)
    this.point()
    if (!seen.fresh || this.played === data.sentence) return
    this.played = data.sentence // a new sentence is answered
    if (!this.still.matches) this.wave.play()
  }

  /** @param {Seen} seen */
  speak(seen) {
    const { answer, hit, layer, fresh } = seen
    const { data: { words, colours }, state, token } = this
    write(this.says, state.words ? `${hit.says} ${verdict(words, seen, token)}` : hit.says)
    for (const word of this.says.querySelectorAll("b")) word.style.color = colours[word.textContent ?? ""] ?? ""
    const left = hit.ratio.at(-1)?.[token]
    const fate = left ? fill(hit.flipped[token] ? words.flips : words.stays, { ratio: digits(left) }) : words.spared
    const known = { layer, token: token + 1, tokens: answer.tokens.length, word: answer.tokens[token], fate }
    const now = { ariaValueNow: layer, ariaValueMax: answer.layers - 1, ariaValueText: fill(words.at, known) }
    Object.assign(this.grid, now)
    const flips = hit.flipped.filter(Boolean).length
    Object.assign(this.root.dataset, { layer, token, fresh, flips, words: state.words })
    this.root.classList.toggle("stale", !fresh)
  }

  /** @param {Seen} seen */
  settings({ answer }) {
    const { data: { kinds, words }, state, token } = this
    const { choosy, size, stops } = kinds[state.kind]
    const sizes = Object.values(stops)
    const only = fill(words.only, { word: answer.tokens[token] })
    const unchosen = { hidden: Boolean(state.only), disabled: !choosy, value: choosy ? state.first : 1 }
    this.controls.show([
      { name: "kind", kind: "choice", label: words.kind, stops: kinds.map(({ label }) => label) },
      { name: "size", label: size, stops: sizes, hidden: sizes.length < 2 },
      { name: "only", kind: "choice", label: words.tokens, stops: [words.every, only] },
      { name: "first", kind: "choice", label: words.first, stops: [words.spare, words.hurts], ...unchosen },
      { name: "words", kind: "choice", label: words.cells, stops: [words.plain, words.worded] },
    ])
  }

  /** The five likeliest next words after the token that is pointed at or marked, or the last where one alone is hurt,
   * with and without the damage. */
  list() {
    const seen = this.look()
    const last = seen.answer.tokens.length - 1
    const token = Math.min(this.pointed ?? (this.state.only ? last : this.token), last)
    this.next.replaceChildren(...nextWords(this.data.words, seen, token))
  }
}

/** What a cell holds, in words. @param {Record<string, string>} words @param {Seen} seen
 * @param {number} at layer @param {number} token */
function read(words, { answer, hit, layer }, at, token) {
  const word = answer.tokens[token]
  if (at < 0) return fill(words.token, { word })
  const [before, after] = [answer.dense[token][0][0], hit.words[token][0][0]]
  if (at >= answer.layers) return fill(hit.flipped[token] ? words.becomes : words.remains, { word, before, after })
  const ratio = at < layer ? null : hit.ratio[at - layer][token]
  if (!ratio) return fill(words.untouched, { word, layer: at })
  return fill(words.drift, { word, layer: at, drift: digits(ratio * hit.entered[token]), ratio: digits(ratio) })
}

/** The next word that the stream after a layer says, damaged and undamaged. @param {Record<string, string>} words
 * @param {Seen} seen @param {number} at layer @param {number} token */
function next(words, seen, at, token) {
  const [dense, hurt] = [-1, Infinity].map((front) => spoken(seen, token, front)[at])
  if (!dense || !hurt) return ""
  const known = { word: seen.answer.tokens[token], dense: dense[0], hurt: hurt[0] }
  const [other, share] = [dense, hurt].map((each) => percent(each[1]))
  return fill(at < seen.layer ? words.unchanged : words.reads, { ...known, other, share })
}

/** Where the next word after a token is decided, said. @param {Record<string, string>} words @param {Seen} seen
 * @param {number} token */
function verdict(words, seen, token) {
  const [early, late] = decisions(seen, token)
  if (late === undefined) return ""
  const [dense, hurt] = [-1, Infinity].map((front) => spoken(seen, token, front).at(-1)?.[0])
  const template = dense !== hurt ? words.parted : early === late ? words.together : words.agreed
  return fill(template, { word: seen.answer.tokens[token], dense, hurt, early, late })
}

/** The five likeliest next words after a token, with and without the damage. @param {Record<string, string>} words
 * @param {Seen} seen @param {number} token */
function nextWords(words, { answer, hit }, token) {
  const [flipped, dense, hurt] = [hit.flipped[token], answer.dense[token], hit.words[token]]
  const after = make("p", "after")
  write(after, fill(words.next, { word: answer.after[token] }))
  const known = { before: dense[0][0], was: percent(dense[0][1]), after: hurt[0][0] }
  const now = percent(flipped ? hurt[0][1] : Object.fromEntries(hurt)[known.before])
  const fate = fill(flipped ? words.new : words.same, { ...known, now })
  after.append(make("span", flipped ? "verdict flips" : "verdict", fate))
  const list = (/** @type {string} */ title, /** @type {Word[]} */ found) => {
    const rows = found.map(([word, share], n) => {
      const bar = make("i")
      bar.style.width = `${Math.max(1, 100 * share)}%`
      const kind = n === 0 ? (word === dense[0][0] ? "top" : "top other") : word === dense[0][0] ? "was" : ""
      const written = make("span", "share", percent(share))
      return make("li", kind, make("span", "word", word), make("span", {}, bar), written)
    })
    return make("div", "list", make("h4", {}, title), make("ol", {}, ...rows))
  }
  return [after, list(words.dense, dense), list(words.hurt, hurt)]
}

export default mounted(Grid)
