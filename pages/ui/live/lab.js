// A sentence, a damaged layer, and what the network does with it. Every number and every word comes from Python: moving
// the layer or the token picks another part of the answers it sent; what is not there is another question.
import { cellAt, cells, GROUPS, means, placed, surroundings } from "./cells.js"
import { Controls } from "./controls.js"
import { make, Painter, vector } from "./dom.js"
import { clamp, digits } from "./numbers.js"
import { mounted, Picture } from "./runtime.js"
import { fill, write } from "./sentences.js"
/** @import { State } from "./runtime.js" */
/** @typedef {[string, number]} Word and its probability */
/** @typedef {{ratio: (number | null)[][], entered: number[], mean: (number | null)[], words: Word[][],
 *   flipped: boolean[], says: string}} Hit what damage of one layer does */
/** @typedef {{layers: number, tokens: string[], after: string[], sink: {token: number} | null, dense: Word[][],
 *   band: number, hit: Record<string, Hit>}} Answer */
/** @typedef {{answer: Answer, hit: Hit, layer: number, fresh: boolean}} Seen what is on the screen */
/** @typedef {{label: string, enters: string, size: string, stops: Record<string, string>, usual: number,
 *   choosy: boolean}} Kind of damage */
/** @typedef {import("./runtime.js").Data & {sentence: string, kinds: Kind[], answers: Record<string, Answer>,
 *   fallback: string, legend: string[]}} Data */

const KEPT = 12 // answers
const PACE = 85 // ms from one layer to the next
const STILL = 350 // the same without motion: layers appear one by one
const ICONS = {
  play: "M4 2.5v11l9-5.5z",
  pause: "M4 2.5h3v11H4zM9 2.5h3v11H9z",
  back: "M3 2.5h2v11H3zM13 2.5v11L6 8z",
  on: "M11 2.5h2v11h-2zM3 2.5v11L10 8z",
}

/** @param {keyof typeof ICONS} name */
const icon = (name) => vector("svg", { viewBox: "0 0 16 16" }, vector("path", { d: ICONS[name] }))

/** @extends {Picture<Data>} */
class Grid extends Picture {
  canvas = make("canvas", { ariaHidden: "true" })
  svg = vector("svg", { "aria-hidden": "true" })
  grid = make("div", { className: "grid", tabIndex: 0, role: "slider" }, this.canvas, this.svg)
  tip = make("div", { className: "tip", ariaHidden: "true", hidden: true })
  picture = make("div", "picture", this.grid, this.tip)
  says = make("p", { className: "says", ariaLive: "polite" })
  button = make("button", { type: "button", className: "play", onclick: () => this.toggle() })
  at = make("span", "at")
  panel = make("div", "controls")
  next = make("div", "next")
  controls = new Controls(this, this.panel)
  painter = new Painter(this.svg, GROUPS)
  pen = /** @type {CanvasRenderingContext2D} */ (make("canvas").getContext("2d"))
  /** @type {Map<string, Answer>} */ answers = new Map()
  /** @type {Seen | null} */ seen = null
  /** @type {number | null} */ pointed = null // token under the mouse
  front = Infinity // layer that the wave has reached
  wave = 0
  played = ""
  /** @type {unknown[]} */ listed = []

  build() {
    const { legend, words } = this.data
    const [title, low, middle, high, ...marks] = legend.map((text) => make("span", {}, text))
    const key = { className: "legend", ariaHidden: "true" }
    const scale = make("div", key, title, make("span", "scale"), make("span", "ends", low, middle, high), ...marks)
    const step = (/** @type {"back" | "on"} */ name, /** @type {number} */ by) => {
      const about = { className: name, title: words[name], ariaLabel: words[name] }
      return make("button", { type: "button", ...about, onclick: () => this.step(by) }, icon(name))
    }
    const wave = { className: "transport", role: "group", ariaLabel: words.transport }
    const transport = make("div", wave, step("back", -1), this.button, step("on", 1), this.at)
    this.root.append(this.picture, make("div", "panel", this.says, transport, this.panel, scale), this.next)
    this.drag(this.grid, (event) => this.picked(event), (event) => this.hover(event), (before, pressed, event) => {
      const dragged = event.pointerType === "mouse" && pressed.layer !== this.state.layer
      if (before.layer !== this.state.layer && !dragged && !this.still.matches) this.play()
    })
    const said = { ariaLabel: words.grid, ariaOrientation: "vertical", ariaValueMin: 0 }
    Object.assign(this.grid, said, { onkeydown: (/** @type {KeyboardEvent} */ event) => this.press(event) })
  }

  renew() {
    const { answers } = this.data
    for (const [key, answer] of Object.entries(answers)) answer.hit = { ...this.answers.get(key)?.hit, ...answer.hit }
    const older = [...this.answers].filter(([key]) => !(key in answers))
    this.answers = new Map([...older, ...Object.entries(answers)].slice(-KEPT))
  }

  leave() {
    this.stop()
  }

  /** @param {State} change */
  move(change) {
    if ("kind" in change) change.size = this.data.kinds[change.kind].usual
    if ("only" in change) change.token = this.token
    this.finish()
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
    const [answer, layer] = [this.answers.get(this.asked), this.state.layer]
    if (answer?.hit[layer]) return (this.seen = { answer, hit: answer.hit[layer], layer, fresh: true })
    if (this.seen) return (this.seen = { ...this.seen, fresh: false })
    const example = this.data.answers[this.data.fallback]
    const nearest = Math.min(layer, example.layers - 1)
    return (this.seen = { answer: example, hit: example.hit[nearest], layer: nearest, fresh: false })
  }

  /** Token that is marked. */
  get token() {
    const last = this.look().answer.tokens.length - 1
    return this.state.token < 0 || this.state.token > last ? last : this.state.token
  }

  play() {
    const { layer, answer } = this.look()
    if (this.front >= answer.layers - 1) this.front = layer
    const [from, start] = [this.front, performance.now()]
    const tick = (/** @type {number} */ now) => {
      const gone = this.still.matches ? Math.floor((now - start) / STILL) : (now - start) / PACE
      this.front = from + Math.max(0, gone)
      if (this.front < answer.layers) this.wave = requestAnimationFrame(tick)
      else this.finish()
      this.draw()
    }
    this.wave = requestAnimationFrame(tick)
    this.draw()
  }

  stop() {
    cancelAnimationFrame(this.wave)
    this.wave = 0
  }

  finish() {
    this.stop()
    this.front = Infinity
  }

  toggle() {
    if (!this.wave) return this.play()
    this.stop()
    this.front = Math.floor(this.front)
    this.draw()
  }

  /** @param {number} by layers */
  step(by) {
    const { layer, answer } = this.look()
    this.stop()
    const from = Number.isFinite(this.front) ? Math.floor(this.front) : by > 0 ? layer - 1 : answer.layers - 1
    this.front = Math.max(layer, from + by)
    if (this.front >= answer.layers - 1) this.finish()
    this.draw()
  }

  get place() {
    const { layers, tokens } = this.look().answer
    this.pen.font = `13px ${getComputedStyle(this.root).fontFamily}`
    const widest = Math.max(...tokens.map((word) => this.pen.measureText(word).width))
    return placed(this.picture.clientWidth, layers, tokens.length, widest)
  }

  /** @param {MouseEvent} event */
  under({ clientX, clientY }) {
    const { left, top } = this.grid.getBoundingClientRect()
    return cellAt(this.place, clientX - left, clientY - top)
  }

  /** @param {MouseEvent} event */
  picked(event) {
    const { token, layer, inside } = this.under(event)
    /** @type {State} */ const to = inside ? { token } : {}
    return layer >= 0 && layer < this.look().answer.layers ? { ...to, layer } : to
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const { token, state: { layer } } = this
    const { layers, tokens } = this.look().answer
    /** @type {Record<string, State>} */ const ways = {
      ArrowUp: { layer: layer + 1 }, ArrowDown: { layer: layer - 1 }, Home: { layer: 0 }, End: { layer: layers - 1 },
      ArrowRight: { token: token + 1 }, ArrowLeft: { token: token - 1 },
    }
    const way = ways[event.key]
    if (!way && event.key !== " ") return
    event.preventDefault()
    if (!way) return this.toggle()
    const to = { layer, token, ...way }
    if (to.layer !== clamp(to.layer, 0, layers - 1) || to.token !== clamp(to.token, 0, tokens.length - 1)) return
    this.move(way)
    this.settle()
  }

  /** @param {MouseEvent | null} event */
  hover(event) {
    const cell = event && this.under(event)
    this.pointed = cell?.inside ? cell.token : null
    this.tip.hidden = this.pointed === null
    if (event && cell?.inside) {
      this.tip.textContent = this.read(cell.layer, cell.token)
      const { left, top, width } = this.picture.getBoundingClientRect()
      const [x, y] = [event.clientX - left, event.clientY - top]
      const translate = x < width / 2 ? "14px -34px" : "calc(-100% - 14px) -34px"
      Object.assign(this.tip.style, { left: `${x}px`, top: `${y}px`, translate })
    }
    this.list()
  }

  /** What a cell holds, in words. @param {number} at layer @param {number} token */
  read(at, token) {
    const { words } = this.data
    const { answer, hit, layer } = this.look()
    const word = answer.tokens[token]
    if (at < 0) return fill(words.token, { word })
    const [before, after] = [answer.dense[token][0][0], hit.words[token][0][0]]
    if (at >= answer.layers) return fill(hit.flipped[token] ? words.becomes : words.remains, { word, before, after })
    const ratio = at < layer ? null : hit.ratio[at - layer][token]
    if (!ratio) return fill(words.untouched, { word, layer: at })
    return fill(words.drift, { word, layer: at, drift: digits(ratio * hit.entered[token]), ratio: digits(ratio) })
  }

  draw() {
    if (!this.root.clientWidth) return
    const [seen, at, { data, state, token, front }] = [this.look(), this.place, this]
    this.svg.style.height = `${at.height}px`
    this.svg.setAttribute("viewBox", `0 0 ${at.width} ${at.height}`)
    this.grid.dataset.shape = JSON.stringify(at) // for who points at it
    cells(this.canvas, at, seen, front, data.colours)
    const now = { token, front, enters: data.kinds[state.kind].enters, words: data.words }
    this.painter.draw((paint) => {
      surroundings(paint, at, seen, now)
      means(paint, at, seen, front)
    })
    this.speak(seen)
    this.transport(seen)
    this.settings(seen)
    this.list()
    if (!seen.fresh || this.played === data.sentence) return
    this.played = data.sentence // a new sentence is answered
    if (!this.still.matches) this.play()
  }

  /** @param {Seen} seen */
  speak({ answer, hit, layer, fresh }) {
    const { data: { words, colours }, token } = this
    write(this.says, hit.says)
    for (const word of this.says.querySelectorAll("b")) word.style.color = colours[word.textContent ?? ""] ?? ""
    const left = hit.ratio.at(-1)?.[token]
    const fate = left ? fill(hit.flipped[token] ? words.flips : words.stays, { ratio: digits(left) }) : words.spared
    const known = { layer, token: token + 1, tokens: answer.tokens.length, word: answer.tokens[token], fate }
    const now = { ariaValueNow: layer, ariaValueMax: answer.layers - 1, ariaValueText: fill(words.at, known) }
    Object.assign(this.grid, now)
    Object.assign(this.root.dataset, { layer, token, fresh, flips: hit.flipped.filter(Boolean).length })
    this.root.classList.toggle("stale", !fresh)
  }

  /** @param {Seen} seen */
  transport({ answer, hit, layer }) {
    const { data: { words }, button } = this
    const playing = String(Boolean(this.wave))
    if (button.dataset.playing !== playing) {
      button.dataset.playing = playing
      const word = this.wave ? words.pause : words.play
      Object.assign(button, { title: fill(words.space, { word }), ariaLabel: fill(words.wave, { word }) })
      button.replaceChildren(icon(this.wave ? "pause" : "play"), word)
    }
    const reached = Math.min(Math.floor(this.front), answer.layers - 1)
    const mean = hit.mean[reached - layer]
    const said = reached === layer ? words.enters : mean ? `${digits(mean)}×` : ""
    this.at.textContent = fill(words.reached, { layer: reached, said })
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
      { name: "first", kind: "check", label: words.first, stops: ["", ""], ...unchosen },
    ])
  }

  /** The five likeliest next words after the token that is pointed at or marked, with and without the damage. */
  list() {
    const { data: { words, colours }, pointed } = this
    const { answer, hit } = this.look()
    const token = Math.min(pointed ?? this.token, answer.tokens.length - 1)
    if ([hit, token, colours].every((each, n) => each === this.listed[n])) return
    this.listed = [hit, token, colours]
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
    this.next.replaceChildren(after, list(words.dense, dense), list(words.hurt, hurt))
  }
}

export default mounted(Grid)
