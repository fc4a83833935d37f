import assert from "node:assert/strict"
import { beforeEach, mock, test } from "node:test"

const listeners = new Map()
let watching = 0
const fakes = {
  document: {
    addEventListener: (kind, act) =>
      listeners.set(kind, (listeners.get(kind) ?? new Set()).add(act)),
    removeEventListener: (kind, act) => listeners.get(kind)?.delete(act),
  },
  matchMedia: () => ({ matches: false }),
  requestAnimationFrame: (act) => setTimeout(act, 16),
  ResizeObserver: class {
    observe() { watching++ }
    disconnect() { watching = 0 }
  },
  window: globalThis,
}
Object.assign(globalThis, fakes)
const { mounted, Picture } = await import("../../pages/ui/live/runtime.js")

class Sample extends Picture {
  seen = []
  draw() {
    this.seen.push(JSON.stringify(this.state))
  }
}

/** A page with one picture: what Python sends, what it is told, and what the reader sees. */
function page() {
  const told = []
  let picture
  const properties = new Map()
  const root = { style: { setProperty: (key, value) => properties.set(key, value) } }
  const show = mounted(class extends Sample {
    build() {
      picture = this
    }
  })
  const send = (state, more = {}) => show({
    data: { state, colours: { absorb: "#0072B2" }, words: {}, waiting: "", ...more },
    parentElement: { querySelector: () => root },
    setTriggerValue: (name, value) => told.push([name, value]),
  })
  return { told, send, properties, picture: () => picture }
}

beforeEach(() => {
  mock.timers.reset()
  mock.timers.enable({ apis: ["setTimeout"] })
  listeners.clear()
  mock.method(performance, "now", () => now)
})
let now = 10_000
const wait = (ms) => {
  now += ms
  mock.timers.tick(ms)
}

test("Python's state is shown, and its colours are known to styles", () => {
  const { send, picture, properties } = page()
  send({ layer: 3 })
  assert.deepEqual(picture().seen, ['{"layer":3}'])
  send({ layer: 5 })
  assert.equal(picture().seen.at(-1), '{"layer":5}')
  assert.equal(properties.get("--absorb"), "#0072B2")
})

test("a drag is told once, after it has been let go, and an older answer does not move it back", () => {
  const { send, told, picture } = page()
  send({ layer: 3 })
  for (const layer of [4, 5, 6]) picture().move({ layer })
  wait(1000)
  assert.deepEqual(told.filter(([name]) => name === "moved"), [])
  send({ layer: 3 }) // a run that began before
  assert.equal(picture().state.layer, 6)
  picture().settle()
  wait(100)
  picture().settle() // a second step within the same quarter of a second
  wait(250)
  assert.deepEqual(told.at(-1), ["moved", { layer: 6 }])
  send({ layer: 3 })
  assert.equal(picture().state.layer, 6)
  send({ layer: 6 }) // heard
  send({ layer: 2 }) // the back button
  assert.equal(picture().state.layer, 2)
})

test("Python has the last word where it never heard of a move", () => {
  const { send, picture } = page()
  send({ layer: 3 })
  picture().move({ layer: 6 })
  picture().settle()
  wait(250)
  wait(3001)
  send({ layer: 3 })
  assert.equal(picture().state.layer, 3)
})

test("another set of controls is taken at once", () => {
  const { send, picture } = page()
  send({ layer: 3 })
  picture().move({ layer: 6 })
  send({ layer: 3, noise: 1 })
  assert.deepEqual(picture().state, { layer: 3, noise: 1 })
})

test("a press elsewhere tells at once what was still to be told", () => {
  const { send, told, picture } = page()
  send({ layer: 3 })
  picture().move({ layer: 6 })
  picture().settle()
  for (const act of listeners.get("pointerdown") ?? []) act()
  assert.deepEqual(told.at(-1), ["moved", { layer: 6 }])
  wait(1000)
  assert.equal(told.filter(([name]) => name === "moved").length, 1)
})

test("that it stands is told once, when the page waits for it, and to another server once more", () => {
  const { send, told } = page()
  for (const waiting of ["one", "one", "two"]) {
    send({ layer: 3 }, { waiting })
    wait(16)
    wait(1)
  }
  assert.deepEqual(told, [["drawn", true], ["drawn", true]])
})

test("what ends an earlier mount does not end the picture that is on the page", () => {
  const { send } = page()
  const first = send({ layer: 3 })
  const second = send({ layer: 4 })
  first()
  assert.ok(watching > 0 && listeners.get("pointerdown")?.size === 1)
  second()
  assert.ok(watching === 0 && listeners.get("pointerdown")?.size === 0)
})

test("a mouse drags, a finger that scrolls moves nothing, and a tap does", () => {
  const { send, told, picture } = page()
  send({ layer: 3 })
  const element = { setPointerCapture() {} }
  const at = (layer, pointerType = "mouse") => ({ button: 0, pointerType, pointerId: 1, layer })
  picture().drag(element, (event) => ({ layer: event.layer }), () => {})
  element.onpointerdown(at(7))
  element.onpointermove(at(8))
  element.onpointerup(at(9))
  wait(250)
  assert.deepEqual(told.at(-1), ["moved", { layer: 9 }])
  element.onpointerdown(at(12, "touch"))
  assert.equal(picture().state.layer, 9)
  element.onpointermove(at(13, "touch"))
  element.onpointercancel(at(13, "touch"))
  assert.equal(picture().state.layer, 9)
  element.onpointerdown(at(12, "touch"))
  element.onpointerup(at(12, "touch"))
  wait(250)
  assert.deepEqual(told.at(-1), ["moved", { layer: 12 }])
})
