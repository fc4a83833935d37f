// The wave through the layers of the lab: which layer it has reached, and the buttons that move it.
import { make, vector } from "./dom.js"
import { fill } from "./sentences.js"

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

export class Wave {
  front = Infinity // layer that it has reached
  button = make("button", { type: "button", className: "play", onclick: () => this.toggle() })
  at = make("span", "at")
  #frame = 0

  /** @param {() => [number, number]} ends layer where it starts, and the last one @param {() => void} draw
   * @param {MediaQueryList} still whether motion is unwanted */
  constructor(ends, draw, still) {
    this.ends = ends
    this.draw = draw
    this.still = still
  }

  /** Its buttons, and the layer that it has reached. @param {Record<string, string>} words */
  transport(words) {
    const step = (/** @type {"back" | "on"} */ name, /** @type {number} */ by) => {
      const about = { className: name, title: words[name], ariaLabel: words[name] }
      return make("button", { type: "button", ...about, onclick: () => this.step(by) }, icon(name))
    }
    const about = { className: "transport", role: "group", ariaLabel: words.transport }
    return make("div", about, step("back", -1), this.button, step("on", 1), this.at)
  }

  /** Say what the buttons do now, and the layer reached. @param {Record<string, string>} words
   * @param {(layer: number) => string} damage there */
  say(words, damage) {
    const playing = String(Boolean(this.#frame))
    if (this.button.dataset.playing !== playing) {
      this.button.dataset.playing = playing
      const word = this.#frame ? words.pause : words.play
      Object.assign(this.button, { title: fill(words.space, { word }), ariaLabel: fill(words.wave, { word }) })
      this.button.replaceChildren(icon(this.#frame ? "pause" : "play"), word)
    }
    const layer = Math.min(Math.floor(this.front), this.ends()[1])
    this.at.textContent = fill(words.reached, { layer, said: damage(layer) })
  }

  play() {
    const [first, last] = this.ends()
    if (this.front >= last) this.front = first
    const [from, start] = [this.front, performance.now()]
    const tick = (/** @type {number} */ now) => {
      const gone = this.still.matches ? Math.floor((now - start) / STILL) : (now - start) / PACE
      this.front = from + Math.max(0, gone)
      if (this.front < last + 1) this.#frame = requestAnimationFrame(tick)
      else this.finish()
      this.draw()
    }
    this.#frame = requestAnimationFrame(tick)
    this.draw()
  }

  stop() {
    cancelAnimationFrame(this.#frame)
    this.#frame = 0
  }

  finish() {
    this.stop()
    this.front = Infinity
  }

  toggle() {
    if (!this.#frame) return this.play()
    this.stop()
    this.front = Math.floor(this.front)
    this.draw()
  }

  /** @param {number} by layers */
  step(by) {
    const [first, last] = this.ends()
    this.stop()
    const from = Number.isFinite(this.front) ? Math.floor(this.front) : by > 0 ? first - 1 : last
    this.front = Math.max(first, from + by)
    if (this.front >= last) this.finish()
    this.draw()
  }
}
