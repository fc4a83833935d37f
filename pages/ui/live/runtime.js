// A picture between Python and the reader: whoever moved last decides what it shows.
const SETTLE = 250 // ms without a further step before Python is told
const PATIENCE = 3000 // ms in which an older answer of Python's does not move the picture back

/** @typedef {Record<string, any>} State what the reader chose: a number or a text for every name */
/** @typedef {{state: State, colours: Record<string, any>, words: Record<string, string>, waiting: string}} Data */
/** @typedef {{data: any, parentElement: ParentNode, setTriggerValue: (name: string, value: unknown) => void}} Mount */

/** What all pictures share. Each builds its elements, and draws what `data` and `state` say. @template {Data} D */
export class Picture {
  /** @type {D} */ data
  /** @type {State} */ state = {}
  /** @type {Mount["setTriggerValue"]} */ tell = () => {}
  still = matchMedia("(prefers-reduced-motion: reduce)")
  #busy = false // between the first step of a move and when Python is told
  #sent = ""
  #until = 0
  #timer = 0
  #mounts = 0
  #watch = new ResizeObserver(() => this.draw())

  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root
  }

  build() {} // the elements, once
  renew() {} // take in what Python sent, before it is drawn
  draw() {}
  leave() {}

  /** Draw what Python sent; returns what ends it. @param {Mount} mount */
  show({ data: { fixed, ...rest }, setTriggerValue }) {
    const data = { ...JSON.parse(fixed ?? "{}"), ...rest } // a text is written once for all readers
    const [first, waited, mount] = [!this.data, this.data?.waiting, ++this.#mounts]
    Object.assign(this, { data, tell: setTriggerValue })
    for (const [name, colour] of Object.entries(data.colours)) this.root.style.setProperty(`--${name}`, colour)
    if (JSON.stringify(data.state) === this.#sent) this.#until = 0
    const other = Object.keys(data.state).join() !== Object.keys(this.state).join()
    if (other || (!this.#busy && performance.now() >= this.#until)) this.state = { ...data.state }
    if (first) this.build()
    this.renew()
    this.draw()
    this.#watch.observe(this.root)
    document.addEventListener("pointerdown", this.#hurry, true)
    if (first || data.waiting !== waited) drawn(() => data.waiting && setTriggerValue("drawn", true))
    return () => {
      if (mount !== this.#mounts) return
      this.#watch.disconnect()
      document.removeEventListener("pointerdown", this.#hurry, true)
      this.leave()
    }
  }

  /** A step of the reader's; Python hears of it once it is let go. @param {State} change */
  move(change) {
    this.#busy = true
    Object.assign(this.state, change)
    this.draw()
  }

  /** The reader let go. */
  settle() {
    clearTimeout(this.#timer)
    this.#timer = window.setTimeout(this.#send, SETTLE)
  }

  #send = () => {
    this.#timer = 0
    this.#busy = false
    this.#sent = JSON.stringify(this.state)
    this.#until = performance.now() + PATIENCE
    this.tell("moved", this.state)
  }

  // A press elsewhere may be on a link: what is still to be told is told before it, or Streamlit would take it for a
  // message of the page that is left, and come back.
  #hurry = () => {
    if (!this.#timer) return
    clearTimeout(this.#timer)
    this.#send()
  }

  /** A press on an element, and a drag from there, are steps; a finger that scrolls moves nothing.
   * @param {HTMLElement | SVGElement} element @param {(event: PointerEvent) => State | null} step null: nothing moves
   * @param {(event: PointerEvent | null) => void} hover
   * @param {(before: State, pressed: State, event: PointerEvent) => void} end */
  drag(element, step, hover, end = () => {}) {
    /** @type {{before: State, pressed: State} | null} */ let held = null
    const take = (/** @type {PointerEvent} */ event) => this.move(step(event) ?? {})
    element.onpointerdown = (event) => {
      if (event.button > 0) return
      if (!step(event)) return hover(event)
      held = { before: { ...this.state }, pressed: this.state }
      if (event.pointerType !== "mouse") return // a finger may be about to scroll
      element.setPointerCapture(event.pointerId)
      take(event)
      held.pressed = { ...this.state }
    }
    element.onpointermove = (event) => (held ? take(event) : event.pointerType === "mouse" && hover(event))
    element.onpointerleave = (event) => held || event.pointerType === "touch" || hover(null)
    element.onpointerup = (event) => {
      if (!held) return
      const { before, pressed } = held
      held = null
      take(event)
      end(before, pressed, event)
      this.settle()
    }
    element.onpointercancel = () => { // it did scroll
      if (!held) return
      this.move(held.before)
      this.#busy = false
      held = null
    }
  }
}

// A frame's timers run once the frame is on the screen. The mark is for whoever measures how long that took.
/** @param {() => void} tell */
const drawn = (tell) => requestAnimationFrame(() => setTimeout(() => performance.mark("picture") && tell()))

/** @type {WeakMap<Element, Picture<any>>} */
const pictures = new WeakMap()

/** What Streamlit calls with all that Python sends. @param {new (root: HTMLElement) => Picture<any>} Kind */
export const mounted = (Kind) => (/** @type {Mount} */ mount) => {
  const root = /** @type {HTMLElement} */ (mount.parentElement.querySelector(".live"))
  const picture = pictures.get(root) ?? new Kind(root)
  pictures.set(root, picture)
  return picture.show(mount)
}
