// What a model writes, dense and pruned. Every text comes from Python: the slider picks another of those that it sent.
import { Controls } from "./controls.js"
import { make } from "./dom.js"
import { mounted, Picture } from "./runtime.js"
/** @import { Control } from "./controls.js" */
/** @typedef {{label: string, prompt: string, text: string, same: number, said: string}} Card
 *   `same`: characters that are like the dense text's */
/** @typedef {import("./runtime.js").Data & {controls: Control[], cards: Card[][][]}} Data of every prompt and stop */

/** @extends {Picture<Data>} */
class Texts extends Picture {
  panel = make("div", "controls")
  cards = make("div", { className: "cards", ariaLive: "polite" })
  controls = new Controls(this, this.panel)

  build() {
    this.root.append(this.panel, this.cards)
  }

  draw() {
    this.controls.show(this.data.controls)
    this.cards.replaceChildren(...this.data.cards[this.state.prompt][this.state.zeros].map(card))
  }
}

/** @param {Card} card */
function card({ label, prompt, text, same, said }) {
  const written = [make("span", "prompt", prompt), text.slice(0, same), make("mark", {}, text.slice(same))]
  return make("div", "card", make("h4", {}, label), make("p", {}, ...written), make("p", "said", said))
}

export default mounted(Texts)
