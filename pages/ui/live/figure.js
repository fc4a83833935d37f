// A figure over layers: bars and lines under the finger, with sentences that follow. Every number and every word comes
// from Python: moving a control picks another frame of the tables that it sent, moving over the plot another layer.
import { Controls } from "./controls.js"
import { make, Painter, vector, within } from "./dom.js"
import { mean, pinned, predicted } from "./hand.js"
import { clamp, path, rowOf, significant } from "./numbers.js"
import { EDGE, GROUPS, Plot, tone } from "./plot.js"
import { mounted, Picture } from "./runtime.js"
import { fill, filled, Lights, write } from "./sentences.js"
/** @import { Control } from "./controls.js" */
/** @import { Curves } from "./hand.js" */
/** @import { Axis } from "./numbers.js" */
/** @import { Paint, Properties } from "./dom.js" */
/** @import { State } from "./runtime.js" */
/** @typedef {{by: "frame" | "layer" | "both" | "nothing" | "bar", table: any[]}} Slot words of frame, layer, or both */
/** @typedef {{values: (number | null)[][], tones: string[][] | null, tone: string, base: number[] | null, edge: string,
 *   bound: number[][] | null}} Bars `bound`: layers on a bound */
/** @typedef {{rows: number[][], base: number[][], weights: number[][], target: number, bounds: number[],
 *   curves: Curves | null}} Hand `rows`: means of layers in each frame, `base`: their linears before any shift */
/** @typedef {{values: any[], tone: string, dash: boolean, bundle: boolean, mark: string, ends: string[]}} Line */
/** @typedef {(number | null)[]} Numbers null: not known */
/** @typedef {{y: Axis, values: Numbers, zero: number | null, points: number[], band: Numbers[], height: number,
 *   curves: [number[], Numbers, string][], marks: [number, number, string][]}} Gauge one of every frame */
/** @typedef {{values: Numbers, low: Numbers, high: Numbers, says: string, beside: number, changes: string[],
 *   unknown: string, measured: Record<number, number>, fact: string}} Hero `measured`: of some frames */
/** @typedef {import("./runtime.js").Data & {layers: number, title: string, finding: string, says: string, idle: string,
 *   lead: string, notes: Slot[], slots: Record<string, Slot>, y: Axis | Axis[], x: string, foot: number | null,
 *   height: number, room: boolean, pick: Control | null, controls: Control[], bars: Bars | null, lines: Line[],
 *   hero: Hero | null, gauge: Gauge | null, hand: Hand | null, key: [string, string, string][],
 *   right: number, first: boolean}} Data */

/** @type {Record<string, string>} */
const SHAPES = { line: "━", dash: "┅", block: "■", outline: "□", arrow: "↕", dot: "●" }
const BELOW = 120 // px that a presented page keeps below its figure, for a guess
// What is predicted is never drawn like what was measured: hollow dots, dashed grey lines.
const RING = { fill: "var(--st-background-color)", stroke: tone("accent"), "stroke-width": 2 }
const GUESS = { stroke: tone("undecided"), "stroke-dasharray": "6 4" }
const REACH = 16 // px from the end of a bar, where it is taken

/** @extends {Picture<Data>} */
class Figure extends Picture {
  lead = make("p", "lead")
  says = make("p", { className: "says", ariaLive: "polite" })
  svg = vector("svg", { role: "img", preserveAspectRatio: "none" })
  key = make("div", { className: "key", ariaHidden: "true" })
  told = make("div", "notes")
  panel = make("div", "controls")
  picture = make("div", "picture", this.says, this.key, this.svg, this.panel)
  controls = new Controls(this, this.panel)
  painter = new Painter(this.svg, GROUPS)
  lights = new Lights(this.root, (event) => this.under(event))
  /** @type {Plot} */ plot
  /** @type {number | null} */ pointed = null // layer under a mouse that is not pressed: nothing is picked by that
  /** @type {number | null} */ taken = null // layer whose bar is dragged
  /** @type {(number | null)[]} */ bar = [] // of each layer
  /** @type {(number | null)[]} */ cost = [] // perplexity and its interval
  /** @type {number | null} */ measured = null // perplexity
  reserved = ""

  build() {
    this.root.append(this.lead, make("div", "stage", this.picture, this.told))
    const step = (/** @type {PointerEvent} */ event) => this.data.hand ? this.grab(event) :
      this.data.pick && { [this.data.pick.name]: clamp(this.under(event), 0, this.data.layers - 1) }
    this.svg.onkeydown = (event) => this.press(event)
    this.drag(this.svg, step, (event) => {
      const layer = event ? this.under(event) : -1
      this.pointed = layer >= 0 && layer < this.data.layers ? layer : null
      this.speak()
      this.lights.again()
    })
  }

  renew() {
    const { bars, first, gauge: gauged, hand, hero, notes, pick } = this.data
    if (hand) hand.rows ??= /** @type {any} */ (bars).values // where no layer is held they are the same
    this.reserved = ""
    this.svg.setAttribute("role", hand ? "application" : "img")
    this.svg.tabIndex = hand ? 0 : -1
    const looks = { first, gauged, hero, noted: !first && notes.length > 0, picks: pick }
    for (const [name, is] of Object.entries(looks)) this.root.classList.toggle(name, Boolean(is))
  }

  /** Layer under a pointer. @param {PointerEvent} event */
  under(event) {
    return this.plot.layer(within(this.svg, event)[0])
  }

  /** Sparsity of each layer that is set by hand. @param {State} state @returns {(number | null)[]} */
  held(state) {
    const at = Array.from({ length: this.data.layers }, (_, layer) => state[`hand${layer}`] ?? -1)
    return at.map((thousandths) => (thousandths < 0 ? null : thousandths / 1000))
  }

  /** A layer set by hand; nothing where the others cannot make up for it. @param {number} layer @param {number} to */
  put(layer, to) {
    const [low, high] = /** @type {Hand} */ (this.data.hand).bounds
    const change = { [`hand${layer}`]: to < 0 ? -1 : Math.round(1000 * clamp(to, low, high)) }
    return this.pinned({ ...this.state, ...change }) ? change : {}
  }

  /** Mean of each layer with those set by hand. @param {State} state */
  pinned(state) {
    const { rows, base, weights, target, bounds } = /** @type {Hand} */ (this.data.hand)
    const linears = pinned(base, rows[this.frame], this.held(state), weights, target, bounds)
    return linears && linears.map((units, layer) => mean(units, weights[layer]))
  }

  /** The end of a bar under a pointer, or one that was taken before. @param {PointerEvent} event */
  grab(event) {
    const [layer, y] = [this.under(event), within(this.svg, event)[1]]
    if (event.type === "pointerdown") {
      const end = this.bar[layer]
      this.taken = end !== undefined && end !== null && Math.abs(this.plot.y(end) - y) < REACH ? layer : null
    }
    const { low, high } = this.plot.axis
    return this.taken === null ? null : this.put(this.taken, clamp(this.plot.value(y), Math.max(low, 0), high))
  }

  /** Arrow keys choose a bar and move it; Delete frees it. @param {KeyboardEvent} event */
  press(event) {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    const rise = { ArrowUp: 0.005, ArrowDown: -0.005, Delete: -2 }[event.key]
    if (!this.data.hand || !(way || rise)) return
    event.preventDefault()
    this.pointed = clamp((this.pointed ?? 0) + (way ?? 0), 0, this.data.layers - 1)
    this.move(rise ? this.put(this.pointed, Number(this.bar[this.pointed]) + rise) : {})
    if (rise) this.settle()
  }

  /** The bars shown, and what they cost: where the hand moved since Python answered, computed here. */
  compute() {
    const { bars, hand, hero, state: sent } = this.data
    this.bar = bars?.values[this.frame] ?? []
    this.told.style.opacity = ""
    this.cost = hero ? [hero.values, hero.low, hero.high].map((numbers) => numbers[this.frame]) : []
    this.measured = hero?.measured[this.frame] ?? null
    if (!hand || Object.entries(sent).every(([name, at]) => !name.startsWith("hand") || at === this.state[name])) return
    const row = this.pinned(this.state)
    if (!row) return
    this.bar = row
    this.measured = null
    this.told.style.opacity = "0.4" // it speaks of what was before
    this.cost = (hand.curves && predicted(row, hand.curves)) ?? [null, null, null]
  }

  get picked() {
    return this.data.pick && this.state[this.data.pick.name]
  }

  /** Layer that sentences speak of. */
  get layer() {
    return this.pointed ?? this.picked
  }

  get frame() {
    const { controls } = this.data
    return rowOf(controls.map(({ stops }) => stops.length), controls.map(({ name }) => this.state[name]))
  }

  /** Height of the plot: where the page is presented, as much as it leaves. */
  tall() {
    const { data, root, svg } = this
    const main = document.querySelector("[data-testid=stMain]")
    if (!data.room || !main) return data.height
    const { top, width } = root.getBoundingClientRect()
    const zoom = width / root.clientWidth
    const rest = root.clientHeight - svg.clientHeight + (data.gauge?.height ?? 0) + BELOW
    return Math.max(data.height, Math.floor((window.innerHeight - top) / zoom - main.scrollTop - rest))
  }

  draw() {
    const { data, frame } = this
    const width = this.picture.clientWidth
    if (!width) return
    if (data.pick) this.pointed = null
    this.compute()
    const tall = this.tall()
    const height = tall + (data.gauge?.height ?? 0)
    this.svg.style.height = `${height}px`
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`)
    this.panel.style.setProperty("--right", `${data.right}px`)
    this.painter.draw((paint) => {
      const [axis, floor] = [Array.isArray(data.y) ? data.y[frame] : data.y, tall - EDGE.bottom]
      this.plot = new Plot(paint, axis, data.layers, [EDGE.left, width - data.right], [EDGE.top, floor])
      this.plot.axes(data.x, data.foot)
      if (this.picked !== null) this.plot.pin(this.picked)
      if (data.bars) this.bars(data.bars)
      data.lines.forEach((line, n) => this.line(line, n))
      const now = this.measured ?? this.cost[0] ?? data.gauge?.values[frame] ?? null
      const ring = this.measured === null ? RING : {}
      if (data.gauge) gauge(paint, data.gauge, frame, now, ring, tall, width - data.right)
    })
    if (data.hero) this.hero(data.hero)
    this.controls.show(data.pick ? [data.pick, ...data.controls] : data.controls)
    this.write(width)
    this.speak()
    this.lights.again()
  }

  /** The number that the picture is about, in place of a first sentence. @param {Hero} hero */
  hero(hero) {
    const [expected, low, high] = this.cost
    const now = this.measured ?? expected
    this.lead.classList.toggle("measured", this.measured !== null)
    if (now === null || (this.measured === null && (low === null || high === null))) {
      return write(this.lead, hero.unknown)
    }
    const more = now / hero.beside - 1
    const share = `${Math.abs(100 * more).toFixed(0)} %`
    const change = share === "0 %" ? "" : fill(hero.changes[Number(more > 0)], { share })
    const interval = this.measured === null ? { low: significant(Number(low)), high: significant(Number(high)) } : {}
    const says = this.measured === null ? hero.says : hero.fact
    write(this.lead, fill(says, { now: significant(now), change, ...interval }))
  }

  /** @param {Bars} bars */
  bars({ tones, tone: usual, base, edge, bound }) {
    const { plot, frame, picked } = this
    const hand = this.held(this.state)
    const foot = this.data.foot ?? plot.axis.low
    const outline = { fill: tone("faint"), "fill-opacity": 0.35, stroke: tone(edge) }
    this.bar.forEach((value, layer) => {
      if (base) plot.bar(`grid/base-${layer}`, layer, [foot, base[layer]], 0.06, outline)
      if (value === null) return
      const colour = tone(tones ? tones[frame][layer] : layer === picked ? "accent" : usual)
      const look = { fill: colour, "fill-opacity": layer === picked || picked === null ? 0.95 : 0.75 }
      const more = { ...look, "data-mark": `layer-${layer} layers` }
      plot.bar(`bars/now-${layer}`, layer, [foot, value], base ? 0.22 : 0.14, more)
      if (bound && base) plot.arrow(layer, base[layer], value)
      const limit = { height: 4, fill: tone("ink") }
      if (bound?.[frame].includes(layer)) plot.bar(`front/bound-${layer}`, layer, [value, value], 0.02, limit)
      const dot = { cx: plot.x(layer), cy: plot.floor, r: 3, fill: tone("ink") }
      if (hand[layer] !== null) plot.paint(`front/hand-${layer}`, "circle", dot)
    })
  }

  /** @param {Line} line @param {number} n */
  line({ values, tone: name, dash, bundle, mark, ends }, n) {
    const { plot, frame, data } = this
    const table = values[frame]
    const apart = Array.isArray(table[0]) // a line for each layer that may be picked, which begins there
    const [first, last] = [Number(apart && this.picked), data.layers - 1]
    const shown = apart ? table[first] : table
    for (let layer = 0; bundle && layer <= last; layer++) {
      const thin = { stroke: tone("faint"), "stroke-width": 1, "data-mark": `layer-${layer} layers` }
      if (layer !== first) plot.line(`bundle/${n}-${layer}`, table[layer], thin)
    }
    const look = { stroke: tone(name), "stroke-dasharray": dash ? "5 5" : "none", "stroke-width": 3 }
    plot.line(`lines/${n}`, shown, { ...look, "data-mark": `${mark} layer-${first} layers` })
    /** @type {[number, number, string][]} */ const dots = [[first, shown[first], "start"]]
    if (mark) dots.push([last, shown[last], "end"])
    dots.forEach(([layer, value, id], at) => {
      const [cx, cy, known] = [plot.x(layer), plot.y(value), { "data-mark": mark && `${mark}-${id}` }]
      plot.paint(`front/${n}-${at}`, "circle", { cx, cy, r: 4, fill: tone(name), ...known })
      const more = { class: "end", ...known }
      if (ends[at]) plot.write(`${n}-${id}`, cx, cy - 10, this.word(ends[at]), at ? "end" : "middle", more)
    })
  }

  /** What a slot says now. @param {string} name */
  word = (name) => String(name === "layer" ? this.layer : this.said(this.data.slots[name]))

  /** @param {Slot} slot @returns {string} */
  said({ by, table }) {
    if (by === "bar") return `${(100 * Number(this.bar[this.layer ?? 0])).toFixed(1)} %`
    const row = by === "frame" || by === "both" ? table[this.frame] : table
    return by === "frame" ? row : row[by === "nothing" ? 0 : this.layer ?? 0]
  }

  /** All words but the sentence, for which room is made. @param {number} width */
  write(width) {
    const { lead, key, notes } = this.data
    this.key.replaceChildren(...key.map(([name, text, shape]) => {
      const said = text.replace(/\{(\w+)\}/g, (_, slot) => this.word(slot))
      const sample = make("i", {}, SHAPES[shape])
      sample.style.color = tone(name)
      return make("span", { hidden: !said }, sample, said)
    }))
    if (!this.data.hero) write(this.lead, filled(lead, this.word))
    if (this.told.childElementCount !== notes.length) this.told.replaceChildren(...notes.map(() => make("p")))
    notes.forEach((slot, n) => write(/** @type {HTMLElement} */ (this.told.children[n]), this.said(slot)))
    if (this.reserved !== String(width)) this.reserve()
    this.reserved = String(width)
  }

  // The longest sentence that there is: the plot stays under the finger.
  reserve() {
    const { says, slots, layers } = this.data
    const longest = (/** @type {string} */ name) =>
      [layers - 1, ...(slots[name]?.table.flat() ?? [])].map(String).reduce((a, b) => (b.length > a.length ? b : a))
    this.says.style.minHeight = ""
    write(this.says, filled(says, longest))
    this.says.style.minHeight = `${this.says.offsetHeight}px`
  }

  speak() {
    const { title, finding, says, idle, first } = this.data
    write(this.says, this.layer === null && idle ? idle : filled(says, this.word))
    const spoken = [`${title}.`, finding, first && this.lead.textContent, this.says.textContent]
    this.svg.setAttribute("aria-label", spoken.filter(Boolean).join(" "))
  }
}

/** The number that the frames lead to, over all frames, with a dot at the one shown.
 * @param {Paint} paint @param {Gauge} gauge @param {number} frame @param {number | null} now @param {Properties} ring
 * @param {number} tall where it begins @param {number} end */
function gauge(paint, { y: axis, values, zero, points, band, curves, marks, height }, frame, now, ring, tall, end) {
  const [first, last] = [EDGE.left + 8, end - 8] // as a slider's ends
  const half = (last - first) / (values.length - 1) / 2
  const plot = new Plot(paint, axis, values.length, [first - half, last + half], [tall + 30, tall + height - 6])
  plot.write("gauge", 0, tall + 18, axis.title)
  axis.ticks.forEach(([value, text], n) => plot.tick(`gauge-${n}`, plot.y(value), text))
  const guide = { y1: plot.top, y2: plot.floor, stroke: tone("guide"), "stroke-dasharray": "3 3" }
  if (zero !== null) paint("grid/zero", "line", { x1: plot.x(zero), x2: plot.x(zero), ...guide })
  const [low, high] = band.map((numbers) => plot.places(numbers).filter(Boolean))
  const shade = { fill: tone("accent"), "fill-opacity": 0.18 }
  if (low) paint("bars/band", "path", { d: path([...low, ...high.reverse()]), ...shade })
  /** @type {[number, string][]} */ const names = []
  curves.forEach(([at, numbers, text], n) => {
    plot.line(`bundle/gauge-${n}`, numbers, { ...GUESS, "stroke-width": 1 }, at)
    if (text && numbers.at(-1)) names.push([plot.y(Number(numbers.at(-1))) + 4, text])
  })
  names.sort(([a], [b]) => a - b).reduce((above, [at, text], n) => {
    const y = Math.max(at, above + 13)
    plot.write(`curve-${n}`, end, y, text)
    return y
  }, 0)
  plot.line("lines/gauge", values, { ...GUESS, "stroke-width": 2 })
  /** @param {string} mark @param {number} n @param {number | null} value @param {Properties} look */
  const dot = (mark, n, value, look) => value && value <= axis.high &&
    paint(`front/${mark}`, "circle", { cx: plot.x(n), cy: plot.y(value), r: 4, "data-mark": mark, ...look })
  dot("gauge", frame, now, { r: 7, fill: tone("accent"), ...ring })
  points.forEach((n) => dot(`gauge-${n}`, n, values[n], RING))
  marks.forEach(([n, value, name], at) => dot(`measured-${at}`, n, value, { fill: tone(name) }))
}

export default mounted(Figure)
