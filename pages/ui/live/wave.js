// The wave through the layers of the lab: which layer it has reached, played or moved by hand.
import { make, vector } from "./dom.js"
import { fill } from "./sentences.js"

const PACE = 85 // ms from one layer to the next
const STILL = 350 // the same without motion: layers appear one by one
const ICONS = { play: "M4 2.5v11l9-5.5z", pause: "M4 2.5h3v11H4zM9 2.5h3v11H9z" }

export class Wave {
  front = Infinity // layer that it has reached
  button = make("button", { type: "button", className: "play", onclick: () => this.toggle() })
  slider = make("input", { type: "range", oninput: () => this.stand(Number(this.slider.value)) })
  at = make("span", "at")
  #frame = 0

  /** @param {() => [number, number]} ends layer where it starts, and the last one @param {() => void} draw
   * @param {MediaQueryList} still whether motion is unwanted */
  constructor(ends, draw, still) {
    this.ends = ends
    this.draw = draw
    this.still = still
  }

  /** Say what the button does now, and the layer reached. @param {Record<string, string>} words
   * @param {(layer: number) => string} damage there @param {(layer: number) => string} next word there */
  say(words, damage, next) {
    const playing = String(Boolean(this.#frame))
    if (this.button.dataset.playing !== playing) {
      this.button.dataset.playing = playing
      const [word, d] = this.#frame ? [words.pause, ICONS.pause] : [words.play, ICONS.play]
      Object.assign(this.button, { title: fill(words.space, { word }), ariaLabel: fill(words.wave, { word }) })
      this.button.replaceChildren(vector("svg", { viewBox: "0 0 16 16" }, vector("path", { d })), word)
    }
    const [min, max] = this.ends()
    const value = Math.min(Math.floor(this.front), max)
    this.at.textContent = fill(words.reached, { layer: value, said: damage(value) })
    Object.assign(this.slider, { min, max, value, ariaValueText: `${this.at.textContent} ${next(value)}` })
  }

  play() {
    const [first, last] = this.ends()
    if (this.front >= last) this.front = first
    const [from, start] = [this.front, performance.now()]
    const tick = (/** @type {number} */ now) => {
      const gone = this.still.matches ? Math.floor((now - start) / STILL) : (now - start) / PACE
      this.front = from + Math.max(0, gone)
      if (this.front < last + 1) this.#frame = requestAnimationFrame(tick)
      else this.rest()
      this.draw()
    }
    this.#frame = requestAnimationFrame(tick)
    this.draw()
  }

  /** Stop. @param {number} layer that it has reached */
  rest(layer = Infinity) {
    cancelAnimationFrame(this.#frame)
    this.#frame = 0
    this.front = layer < this.ends()[1] ? layer : Infinity
  }

  /** @param {number} layer */
  stand(layer) {
    this.rest(layer)
    this.draw()
  }

  toggle() {
    if (this.#frame) this.stand(Math.floor(this.front))
    else this.play()
  }
}
