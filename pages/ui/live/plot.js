// A plot of layers, from left to right, over one vertical axis.
import { path, share, stride } from "./numbers.js"
/** @import { Paint, Properties } from "./dom.js" */
/** @import { Axis } from "./numbers.js" */

export const EDGE = { left: 56, top: 28, bottom: 48 } // px around the plot, for axes
export const GROUPS = ["grid", "bars", "bundle", "lines", "front", "axes"] // from back to front

/** A colour, or that of a meaning as Python names it. @param {string} name */
export const tone = (name) => (name.startsWith("#") ? name : `var(--${name})`)

export class Plot {
  /** @param {Paint} paint @param {Axis} axis @param {number} layers columns
   * @param {number[]} across where they begin and end @param {number[]} down where the axis does */
  constructor(paint, axis, layers, [left, end], [top, floor]) {
    this.paint = paint
    this.axis = axis
    this.layers = layers
    this.left = left
    this.end = end
    this.top = top
    this.floor = floor
    this.step = (end - left) / layers
  }

  /** Middle of a layer's column. @param {number} layer */
  x(layer) {
    return this.left + (layer + 0.5) * this.step
  }

  /** Height of a value. @param {number} value */
  y(value) {
    return this.floor - share(this.axis, value) * (this.floor - this.top)
  }

  /** Value at a height of a linear axis. @param {number} y */
  value(y) {
    return this.axis.low + ((this.floor - y) / (this.floor - this.top)) * (this.axis.high - this.axis.low)
  }

  /** Layer at a place; below 0 or too high beside all columns. @param {number} x */
  layer(x) {
    return Math.floor((x - this.left) / this.step)
  }

  /** Words at a place. @param {string} id @param {number} x @param {number} y @param {string | number} text
   * @param {"start" | "middle" | "end"} anchor @param {Properties} more */
  write(id, x, y, text, anchor = "start", more = {}) {
    this.paint(`axes/${id}`, "text", { x, y, "text-anchor": anchor, ...more }, text)
  }

  /** A line across. @param {string} id @param {number} y @param {string} text @param {Properties} more */
  tick(id, y, text, more = {}) {
    const line = { x1: EDGE.left, x2: this.end, y1: y, y2: y, stroke: tone("grid"), ...more }
    this.paint(`grid/line-${id}`, "line", line)
    this.write(`tick-${id}`, EDGE.left - 8, y + 4, text, "end")
  }

  /** Both axes, and a column for every layer, seen where a word points at it.
   * @param {string} title of the horizontal one @param {number | null} foot value whose line is strong */
  axes(title, foot) {
    for (let layer = 0; layer < this.layers; layer++)
      this.column(`column-${layer}`, layer, { class: "column", "data-mark": `layer-${layer}` })
    this.axis.ticks.forEach(([value, text], n) => this.tick(`${n}`, this.y(value), text))
    const strong = { stroke: tone("guide"), "stroke-width": 1.5, "data-mark": "foot" }
    if (foot !== null) this.tick("foot", this.y(foot), "", strong)
    this.write("title", 0, 11, this.axis.title)
    for (let layer = 0; layer < this.layers; layer += stride(this.layers))
      this.write(`layer-${layer}`, this.x(layer), this.floor + 17, layer, "middle")
    const middle = (EDGE.left + this.end) / 2
    this.write("below", middle, this.floor + 34, title, "middle", { "data-mark": "layers" })
  }

  /** The whole column of a layer. @param {string} id @param {number} layer @param {Properties} more */
  column(id, layer, more) {
    const [x, height] = [this.x(layer) - this.step / 2, this.floor - this.top]
    this.paint(`grid/${id}`, "rect", { x, width: this.step, y: this.top, height, ...more })
  }

  /** Mark the layer that is picked. @param {number} layer */
  pin(layer) {
    this.column("pick", layer, { fill: tone("accent"), "fill-opacity": 0.14 })
    this.paint("front/pin", "path", { d: `M${this.x(layer)} ${this.top} l-6 -9 h12 z`, fill: tone("accent") })
  }

  /** The way between two values of a layer, where it can be seen. @param {number} layer @param {number[]} values */
  arrow(layer, ...values) {
    const [start, end] = values.map((value) => this.y(value))
    const back = Math.sign(start - end) * 4
    const d = `M${this.x(layer)} ${start} V${end} m-3 ${back} l3 ${-back} l3 ${back}`
    if (Math.abs(start - end) >= 3) this.paint(`front/arrow-${layer}`, "path", { class: "arrow", d })
  }

  /** A bar between two values, `inset` being the share of its column that stays free on either side.
   * @param {string} name @param {number} layer @param {number[]} ends @param {number} inset @param {Properties} more */
  bar(name, layer, ends, inset, more) {
    const [a, b] = ends.map((value) => this.y(value))
    const [x, width] = [this.x(layer) - this.step * (0.5 - inset), this.step * (1 - 2 * inset)]
    const [y, height] = [Math.min(a, b), Math.max(Math.abs(a - b), 1)]
    this.paint(name, "rect", { class: "bar", x, width, y, height, ...more })
  }

  /** Where values lie. @param {(number | null)[]} values @param {number[] | null} at their columns
   * @returns {([number, number] | null)[]} */
  places(values, at = null) {
    return values.map((value, n) => (value === null ? null : [this.x(at ? at[n] : n), this.y(value)]))
  }

  /** A line, interrupted where nothing is known. @param {string} name @param {(number | null)[]} values
   * @param {Properties} more @param {number[] | null} at */
  line(name, values, more, at = null) {
    const d = path(this.places(values, at))
    this.paint(name, "path", { d, fill: "none", "stroke-width": 3, "stroke-linejoin": "round", ...more })
  }
}
