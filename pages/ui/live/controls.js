// Sliders and choices over the stops that Python names; each holds one entry of a picture's state.
import { make } from "./dom.js"
/** @import { Picture } from "./runtime.js" */
/** @typedef {{name: string, label: string, stops: string[], kind?: "slider" | "choice",
 *   marks?: [number, string][], spoken?: string[], hidden?: boolean, disabled?: boolean, value?: number}} Control
 *   `marks`: stops with a word below the slider; `spoken`: what a screen reader says of a stop, where it says more;
 *   `value`: what is shown instead of the state's */

export class Controls {
  /** @type {Map<string, {wanted: string, box: HTMLElement}>} */ #made = new Map()

  /** @param {Picture<any>} picture @param {HTMLElement} root */
  constructor(picture, root) {
    this.picture = picture
    this.root = root
  }

  /** Show what the state holds; a control that stays the same keeps its elements. @param {Control[]} controls */
  show(controls) {
    const boxes = controls.map((control) => this.#box(control))
    const same = boxes.length === this.root.childElementCount && boxes.every((box) => box.isConnected)
    if (!same) this.root.replaceChildren(...boxes)
    controls.forEach(({ name, stops, spoken, hidden, disabled, value }, n) => {
      const at = value ?? this.picture.state[name]
      boxes[n].hidden = Boolean(hidden)
      for (const input of boxes[n].querySelectorAll("input")) {
        input.disabled = Boolean(disabled) || input.max === "0"
        if (input.type === "radio") input.checked = at === Number(input.value)
        else Object.assign(input, { value: at, ariaValueText: spoken?.[at] ?? stops[at] })
      }
      boxes[n].querySelector(".value")?.replaceChildren(stops[at])
    })
  }

  /** @param {Control} control */
  #box(control) {
    const wanted = JSON.stringify([control.label, control.stops, control.marks])
    const known = this.#made.get(control.name)
    if (known?.wanted === wanted) return known.box
    const box = MAKERS[control.kind ?? "slider"](control)
    box.oninput = ({ target }) => {
      this.picture.move({ [control.name]: Number(/** @type {HTMLInputElement} */ (target).value) })
    }
    box.onchange = () => this.picture.settle()
    this.#made.set(control.name, { wanted, box })
    return box
  }
}

/** @type {Record<string, (control: Control) => HTMLElement>} */
const MAKERS = {
  slider({ name, label, stops, marks = [] }) {
    const last = stops.length - 1
    const words = marks.map(([at, text]) => {
      const className = at === 0 ? "first" : at === last ? "last" : ""
      const word = make("span", { className, "data-mark": `stop-${name}-${at}` }, text)
      word.style.left = `calc(8px + (100% - 16px) * ${at / last})`
      return word
    })
    const input = make("input", { type: "range", className: name, min: 0, max: last, step: 1 })
    const below = make("div", { className: "marks", ariaHidden: "true", hidden: !words.length }, ...words)
    const text = make("label", {}, `${label}: `, make("b", "value"), input)
    return make("div", { className: "control", "data-mark": `control-${name}` }, text, below)
  },
  choice({ name, label, stops }) {
    const options = stops.map((text, value) => {
      const input = make("input", { type: "radio", name, value })
      return make("label", { "data-mark": `stop-${name}-${value}` }, input, make("span", {}, text))
    })
    const about = { className: `control ${name}`, "data-mark": `control-${name}` }
    return make("fieldset", about, make("legend", {}, label), make("div", "options", ...options))
  },
}
