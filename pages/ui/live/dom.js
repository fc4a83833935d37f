// Elements, and a painter that changes only what differs from what it drew before.
/** @typedef {Record<string, unknown>} Properties */
/** @typedef {keyof SVGElementTagNameMap} Tag */
/** @typedef {{element: Element, drawn: Properties}} Part */
/** @typedef {(name: string, tag: Tag, attributes: Properties, text?: string | number) => void} Paint `group/id` */

/** An HTML element with properties or attributes, or a class alone. @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} tag @param {Properties | string} about @param {(Node | string)[]} children */
export function make(tag, about = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(typeof about === "string" ? { className: about } : about))
    if (name in element) Reflect.set(element, name, value)
    else element.setAttribute(name, String(value))
  element.append(...children)
  return element
}

/** An SVG element. @template {Tag} Name
 * @param {Name} tag @param {Properties} attributes @param {Node[]} children */
export function vector(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value))
  element.append(...children)
  return element
}

/** Where a pointer is in an element, in the element's own px: a room's screen enlarges the page.
 * @param {Element} element @param {MouseEvent} event */
export function within(element, { clientX, clientY }) {
  const { left, top, width } = element.getBoundingClientRect()
  const zoom = width / element.clientWidth || 1
  return [(clientX - left) / zoom, (clientY - top) / zoom]
}

/** Draws into an SVG by names: what has a name again moves, what is not drawn again goes. */
export class Painter {
  /** @type {Map<string, Part>} */ #parts = new Map()
  /** @type {Map<string, Element>} */ #groups

  /** @param {SVGSVGElement} svg @param {string[]} groups from back to front */
  constructor(svg, groups) {
    this.#groups = new Map(groups.map((name) => [name, svg.appendChild(vector("g"))]))
  }

  /** Everything that `each` paints, and nothing else. @param {(paint: Paint) => void} each */
  draw(each) {
    const before = this.#parts
    this.#parts = new Map()
    each((name, tag, attributes, text) => {
      const part = /** @type {Part} */ (before.get(name) ?? { element: vector(tag), drawn: {} })
      if (!before.delete(name)) this.#groups.get(name.split("/")[0])?.append(part.element)
      for (const [key, value] of Object.entries(attributes))
        if (part.drawn[key] !== value) part.element.setAttribute(key, String(value))
      if (part.drawn.text !== text) part.element.textContent = String(text)
      part.drawn = { ...attributes, text }
      this.#parts.set(name, part)
    })
    for (const { element } of before.values()) element.remove()
  }
}
