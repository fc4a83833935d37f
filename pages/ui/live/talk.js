// Break it while it talks: an undamaged and a damaged model write side by side, and the reader hurts or heals one of
// them meanwhile. Every word comes from Python, the texts as a stream from the server.
import { Controls } from "./controls.js"
import { make, Painter, vector } from "./dom.js"
import { percent } from "./numbers.js"
import { GROUPS } from "./plot.js"
import { snapshot } from "./picture.js"
import { mounted, Picture } from "./runtime.js"
import { fill, write } from "./sentences.js"
import { lines } from "./stream.js"
import { curve } from "./talking.js"
import { changed, difference, read, sentences, written } from "./turns.js"
/** @import { Step, Turn } from "./turns.js" */
/** @typedef {{kind: number, size: number, part: number}} Damage as the controls hold it */
/** @typedef {import("./runtime.js").Data & {address: string, prompt: string, seed: number | null, layers: string[],
 *   damages: Record<string, Damage & {said: string, strength: number}>, parts: string[], most: number, short: number,
 *   named: string[], kinds: any[], opening: string, linked: boolean, line: any}} Data `damages`: as they are written;
 *   `short`: tokens that are written unasked */

const PACE = 120 // ms that a token stays the last one: a reader follows, and what is not shown yet can still be hurt
const RECENT = 8 // sentences that stay for who listens
const TAB = Math.random().toString(36).slice(2) // for which the server keeps what it has written
let visited = false // a link is played whole, what a reader comes back to is not

/** @param {() => void} onclick @param {string} className */
const button = (onclick, className = "") => make("button", { type: "button", className, onclick })

/** @param {string} className */
const text = (className) => make("div", { className, tabIndex: 0, dir: "auto" }) // it scrolls, by keys too

/** @extends {Picture<Data>} */
class Talk extends Picture {
  says = make("p", "says")
  texts = { dense: text("text"), hurt: text("text hurt") }
  svg = vector("svg", { "aria-hidden": "true" })
  token = make("input", { type: "range", min: 0, oninput: () => this.point(Number(this.token.value)) })
  map = make("div", { className: "map", tabIndex: 0, role: "slider" })
  heard = make("div", { className: "heard", ariaLive: "polite" })
  play = button(() => (this.running ? this.rest(true) : this.write()))
  heal = button(() => this.damage({ on: !this.hand.on }), "heal")
  step = button(() => this.write(this.steps.length + 1, true))
  restart = button(() => this.back(this.pointed + 1, false))
  share = button(() => this.hand_out())
  panel = make("div", "controls")
  controls = new Controls(this, this.panel)
  painter = new Painter(this.svg, GROUPS)
  /** @type {HTMLElement[]} */ cells = [] // of the map
  hand = { layer: 0, part: 0, kind: 0, size: 0, on: false } // what the controls hold
  /** @type {Step[]} */ steps = []
  shown = "" // what the steps are of
  status = "" // stands in place of the finding
  pointed = -1 // token
  told = { dense: 0, hurt: 0 } // sentences of each text, to who listens
  /** @type {AbortController | null} */ running = null
  held = false // by the reader
  waits = false // for the first line of an answer
  late = false // the reader moved on meanwhile
  over = false // nothing more is written
  due = 0 // when the next token may be shown
  leave = () => this.rest()

  build() {
    const { layers, linked, most, parts, short, words } = this.data
    const boxes = Object.entries(this.texts).map(([side, box]) => make("div", {}, make("h4", {}, words[side]), box))
    const transport = make("div", "transport", this.heal, this.play, this.step, this.restart, this.share)
    const [texts, hand] = [make("div", "texts", ...boxes), make("div", "hand", transport, this.panel)]
    this.root.append(texts, hand, this.says, this.map, this.svg, this.token, this.heard)
    this.step.append(words.step)
    this.share.append(words.share)
    Object.assign(this.token, { ariaLabel: words.tokens, max: most - 1 })
    const about = { ariaLabel: words.map, ariaValueMin: 0, ariaValueMax: layers.length - 1 }
    Object.assign(this.map, about, { onkeydown: (/** @type {KeyboardEvent} */ event) => this.press(event) })
    this.map.style.setProperty("--layers", String(layers.length))
    this.cells = parts.flatMap((name, part) => {
      const row = layers.map((_, layer) => make("i", { onclick: () => this.damage({ layer, part }) }))
      this.map.append(make("b", {}, name), ...row)
      return row
    })
    this.map.append(make("b", {}, words.layer), ...layers.map((name, n) => make("span", {}, n % 5 ? "" : name)))
    const { hurt } = this.texts
    const under = (/** @type {Event} */ { target }) => [...hurt.children].findIndex((word) => word === target) - 1
    hurt.onpointermove = (event) => this.point(under(event))
    hurt.onpointerleave = () => this.point(-1)
    hurt.onclick = (event) => under(event) >= 0 && this.back(under(event) + 1)
    const watch = new IntersectionObserver(([{ isIntersecting }]) => {
      if (isIntersecting && !this.running && !this.steps.length) this.write(short)
      if (isIntersecting) watch.disconnect()
    }, { threshold: 0.3 })
    if (linked && !visited) requestAnimationFrame(() => this.write())
    else if (!this.still.matches) watch.observe(texts)
    visited = true
  }

  // What Python sends is a link, the back button, or another prompt or seed, unless the picture told it.
  renew() {
    const before = this.shown
    if (this.question === before) return
    this.clear(0)
    this.follow(this.turns.find(([, , damage]) => damage) ?? read(this.data.opening)[0])
    this.follow()
    if (before) this.write()
  }

  /** The controls show what the next token is written under. @param {Turn | undefined} turn */
  follow(turn = this.turns.findLast(([start]) => start <= this.steps.length)) {
    this.hand.on = Boolean(turn?.[2])
    if (turn?.[2]) Object.assign(this.hand, this.data.damages[turn[2]], { layer: turn[1] })
  }

  get turns() {
    return read(this.state.turns)
  }

  /** The damage in hand as it is written; empty where there is none such. */
  get word() {
    const name = (/** @type {Damage} */ { kind, size, part }) => `${kind} ${size} ${part}`
    return Object.entries(this.data.damages).find(([, held]) => name(held) === name(this.hand))?.[0] ?? ""
  }

  get question() {
    return JSON.stringify([this.data.prompt, this.data.seed, this.state.turns])
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const { data: { layers, parts }, hand: { layer, part } } = this
    /** @type {Record<string, {layer?: number, part?: number}>} */ const ways = {
      ArrowLeft: { layer: layer - 1 }, ArrowRight: { layer: layer + 1 }, Home: { layer: 0 },
      End: { layer: layers.length - 1 }, ArrowUp: { part: part - 1 }, ArrowDown: { part: part + 1 },
    }
    const to = { layer, part, ...ways[event.key] }
    if (!ways[event.key] || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    if (to.layer in layers && to.part in parts) this.damage(to)
  }

  /** @param {number} token */
  point(token) {
    this.pointed = Math.min(token, this.steps.length - 1)
    this.draw()
  }

  /** A step of a control's. @param {import("./runtime.js").State} change */
  move(change) {
    if ("turns" in change) super.move(change)
    else this.damage("kind" in change ? { ...change, size: this.data.kinds[change.kind].usual } : change)
  }

  /** Hurt otherwise, or heal: from the next token on, and where all is written from where the last damage began. What
   * was asked a moment ago is answered first, or a drag would keep the texts waiting.
   * @param {Partial<Talk["hand"]>} how */
  damage(how) {
    Object.assign(this.hand, { on: true }, how)
    const other = "part" in how ? { kind: 0, size: this.data.kinds[0].usual } : { part: 0 }
    if (!this.word) Object.assign(this.hand, other) // a head is not pruned
    this.late = Boolean(this.running) && this.waits
    if (this.late) this.draw()
    else this.back(this.over ? (this.turns.findLast(([, , damage]) => damage)?.[0] ?? 0) : this.steps.length)
  }

  /** Drop the texts from a token on; what follows is written under the damage in hand.
   * @param {number} token @param {boolean} stays as it is, unwritten */
  back(token, stays = this.held) {
    const { on, layer } = this.hand
    this.move({ turns: written(changed(this.turns, [token, layer, on ? this.word : ""])) })
    this.settle()
    this.clear(token)
    if (!stays) this.write()
  }

  /** @param {number} token from which on nothing is known */
  clear(token) {
    this.steps.length = Math.min(token, this.steps.length)
    Object.assign(this, { over: false, status: "", pointed: -1, shown: this.question })
    this.rest()
  }

  rest(held = this.held) {
    this.running?.abort()
    Object.assign(this, { running: null, held })
    this.draw()
  }

  /** Write on from the last token that is known. @param {number} tokens how many in all
   * @param {boolean} held afterwards */
  async write(tokens = this.data.most, held = false) {
    if (this.over) this.clear(0)
    this.follow()
    this.running?.abort()
    const { signal } = (this.running = new AbortController())
    Object.assign(this, { held, waits: true, late: false, status: "", pointed: -1 })
    this.draw()
    const { address, prompt, seed, words } = this.data
    const asked = JSON.stringify({ prompt, turns: this.turns, seed, start: this.steps.length, tokens })
    for await (const line of lines(`${address}?tab=${TAB}&asked=${encodeURIComponent(asked)}`, signal)) {
      if (line && "at" in line) await new Promise((go) => setTimeout(go, this.due - performance.now()))
      if (signal.aborted) return
      this.take(line ?? { error: words.lost }, tokens)
      if (this.late && !this.waits) return this.back(this.steps.length, false)
      if (document.hidden) break // nobody reads
    }
    if (!signal.aborted) this.rest()
  }

  /** @param {any} line of the stream @param {number} tokens how many it tells */
  take({ waits, seconds, loading, end, error, ...step }, tokens) {
    const { most, words } = this.data
    this.status = waits ? fill(words.waits, { waits, seconds }) : loading ? words.loading : end || error || ""
    if ("at" in step) {
      this.steps.push(step)
      if (!this.late) this.follow()
      Object.assign(this, { waits: false, due: performance.now() + PACE })
      performance.mark("token") // for whoever measures how long an answer took
    }
    this.over = this.steps.length >= most || (end !== undefined && this.steps.length < tokens)
    this.draw()
  }

  draw() {
    const { data, hand, pointed, running, steps, turns, data: { damages, kinds, layers, parts, words } } = this
    if (!this.root.clientWidth) return
    Object.assign(this.root.dataset, { playing: Boolean(running), tokens: steps.length })
    this.play.textContent = running ? words.pause : words.play
    this.heal.textContent = hand.on ? words.heal : words.again
    this.restart.textContent = pointed < 0 ? words.restart : words.from
    this.painter.draw((paint) => curve(paint, this.svg.clientWidth, data, steps, turns, pointed, ([, layer, damage]) =>
      ({ ...damages[damage], said: fill(damages[damage].said, { layer: data.named[layer] }) })))
    const cell = (/** @type {number} */ layer, /** @type {number} */ part) => this.cells[part * layers.length + layer]
    for (const each of this.cells) each.className = ""
    for (const [, layer, damage] of turns) if (damage) cell(layer, damages[damage].part).className = "was"
    const own = cell(hand.layer, hand.part)
    own.className = hand.on ? "own hurts" : "own"
    const [at, room] = [own.offsetLeft - this.map.scrollLeft, this.map.clientWidth - own.offsetWidth]
    if (at < room / 3 || at > room) this.map.scrollLeft = own.offsetLeft - room / 2
    const ariaValueText = `${data.named[hand.layer]}, ${parts[hand.part]}`
    Object.assign(this.map, { ariaValueNow: hand.layer, ariaValueText })
    const { size, stops } = kinds[hand.kind]
    this.controls.show([
      { name: "kind", kind: "choice", label: words.kind, stops: kinds.map((each) => each.label), value: hand.kind },
      { name: "size", label: size, stops, hidden: stops.length < 2, value: hand.size },
    ])
    this.spell("dense")
    this.spell("hurt")
    this.hear("dense")
    this.hear("hurt")
    this.speak(steps[pointed] ?? steps.findLast(({ p }) => p !== null))
  }

  /** A text, token by token; what stays keeps its element. @param {"dense" | "hurt"} side */
  spell(side) {
    const { data: { prompt }, pointed, running, steps, texts: { [side]: box } } = this
    const texts = [prompt, ...steps.map((step) => step[side] ?? "")]
    texts.forEach((word, n) => {
      const span = box.children[n] ?? box.appendChild(make("span"))
      if (span.textContent !== word) span.textContent = word
      const odd = n && side === "hurt" && steps[n - 1].hurt !== steps[n - 1].twin
      span.className = (odd ? "odd " : "") + (n && n - 1 === pointed ? "lit" : "")
    })
    while (box.children.length > texts.length) box.lastChild?.remove()
    box.children[difference(steps) + 1].classList.toggle("first", difference(steps) >= 0)
    if (running) box.scrollTop = box.scrollHeight
  }

  /** Every whole sentence of a text, told once to who listens. @param {"dense" | "hurt"} side */
  hear(side) {
    const whole = sentences(this.steps.map((step) => step[side] ?? "").join(""), this.over || this.held)
    for (const each of whole.slice(this.told[side]))
      this.heard.append(make("p", {}, `${this.data.words[side]}: ${each}`))
    this.told[side] = whole.length
    while (this.heard.childElementCount > RECENT) this.heard.firstChild?.remove()
  }

  /** Copy a link to all of this, and save a picture of it. */
  async hand_out() {
    const { words } = this.data
    const url = new URL(location.href)
    url.searchParams.set("turns", this.state.turns) // Python may not have heard of the last one yet
    const link = decodeURI(url.href).replaceAll("%2C", ",").replaceAll("%3A", ":").replaceAll("%7E", "~")
    const copied = await navigator.clipboard?.writeText(link).then(() => true, () => false)
    const href = URL.createObjectURL(await snapshot(this.texts, this.says, this.svg))
    make("a", { href, download: `${words.file}.png` }).click()
    URL.revokeObjectURL(href)
    this.status = copied ? words.shared : words.saved
    this.draw()
  }

  /** What is seen, in a sentence. @param {Step | undefined} step */
  speak(step) {
    const { data: { words }, pointed, running, steps, status } = this
    const first = difference(steps)
    const { at = 0, p, hurt, twin } = step ?? {}
    const seen = (/** @type {string | null | undefined} */ word) => word?.replaceAll("\n", "⏎").trim()
    const about = { first: first + 1, n: at + 1, p: percent(p ?? 0), hurt: seen(hurt), twin: seen(twin) }
    const said = !step ? words.idle : pointed >= 0 ? words.token : first < 0 ? words.same : words.differs
    write(this.says, status || fill(said, about))
    this.says.ariaLive = running ? "off" : "polite" // not every token
    Object.assign(this.token, { value: at, disabled: !step, ariaValueText: this.says.textContent })
  }
}

export default mounted(Talk)
