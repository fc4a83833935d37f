// Sentences of Python's: slots in braces, ** around what is strong, and references to marks in the picture, as in
// `ends at [0.19](curve-end)`. A pointed word lights its marks up, and a pointed mark its words.
import { make } from "./dom.js"

const SLOT = /\{(\w+)\}/g
const REFERENCE = /(\[[^[\]]+\]\([^()]*\))/
const PART = /\[([^[\]]+)\]\(([^()]*)\)|\*\*(.+?)\*\*/g

/** A template with words in its slots. @param {string} template @param {Record<string, unknown>} words */
export const fill = (template, words) => template.replace(SLOT, (_, name) => String(words[name]))

/** The same, strong outside of references. @param {string} template @param {(name: string) => string} word */
export const filled = (template, word) => template.split(REFERENCE).map((part, n) =>
  part.replace(SLOT, (_, name) => (n % 2 || !word(name) ? word(name) : `**${word(name)}**`))).join("")

/** @type {WeakMap<Element, string>} */
const written = new WeakMap()

/** Write a sentence. Nothing is made anew where nothing changed: a word keeps the focus and stays lit.
 * @param {HTMLElement} element @param {string} said */
export function write(element, said) {
  if (written.get(element) === said) return
  written.set(element, said)
  element.replaceChildren(...pieces(said.replaceAll(" %", "\u00a0%"))) // a number keeps its sign
  element.hidden = !said
}

/** @param {string} said @returns {(Node | string)[]} */
function pieces(said) {
  const made = []
  let from = 0
  for (const { 0: whole, 1: text, 2: marks, 3: strong, index } of said.matchAll(PART)) {
    made.push(said.slice(from, index))
    const about = { className: "ref", role: "button", tabIndex: 0, "data-mark": marks }
    made.push(strong === undefined ? make("span", about, text) : make("b", {}, ...pieces(strong)))
    from = index + whole.length
  }
  return [...made, said.slice(from)]
}

/** What is lit in a picture. */
export class Lights {
  /** @type {string[]} */ #marks = []
  /** @type {Element | null} */ #word = null
  #root

  /** @param {HTMLElement} root @param {(event: PointerEvent) => number} column layer under a pointer */
  constructor(root, column) {
    this.#root = root
    const light = (/** @type {string[]} */ marks, /** @type {Element | null} */ word = null) => {
      this.#marks = marks
      this.#word = word
      this.again()
    }
    const point = (/** @type {Event} */ event) => {
      const over = /** @type {Element} */ (event.target)
      const pointed = over.closest("[data-mark]")
      if (pointed?.classList.contains("ref")) light(named(pointed), pointed)
      else if (event instanceof PointerEvent && over.closest("svg")) light(this.#beneath(event, column(event)))
      else light(named(pointed))
    }
    const leave = (/** @type {Event} */ event) => {
      if (!(event instanceof PointerEvent && event.pointerType === "touch")) light([]) // a finger does not hover
    }
    for (const kind of ["pointermove", "focusin", "click"]) root.addEventListener(kind, point)
    for (const kind of ["pointerleave", "focusout"]) root.addEventListener(kind, leave)
  }

  // The marks at a place, those that others cover too. Of layers it is the one of the column; the axis speaks of all.
  /** @param {PointerEvent} event @param {number} layer */
  #beneath({ clientX, clientY }, layer) {
    const page = /** @type {ShadowRoot} */ (this.#root.getRootNode())
    const marks = page.elementsFromPoint(clientX, clientY).filter((each) => each.closest("svg")).flatMap(named)
    if (marks.join() === "layers") return marks
    return [...marks.filter((mark) => !mark.startsWith("layer")), `layer-${layer}`]
  }

  /** Light what was drawn since. */
  again() {
    for (const each of this.#root.querySelectorAll("[data-mark]")) {
      const shares = named(each).some((mark) => this.#marks.includes(mark))
      each.classList.toggle("lit", each === this.#word || (shares && !(this.#word && each.classList.contains("ref"))))
    }
  }
}

/** Names of the marks that an element is, or refers to. @param {Element | null} element */
const named = (element) => element?.getAttribute("data-mark")?.split(" ").filter(Boolean) ?? []
