// A sentence, a hurt layer, and what the network does with it. Every number and every word comes from Python: moving the
// layer or the token picks another part of the answers it sent, and another question is asked only by what is not there.
const SETTLE = 250 // ms without a further step before Python is told
const PATIENCE = 3000 // ms in which an older answer of Python's does not move the controls back
const KEPT = 12 // answers

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".lab")
  const held = (root.held ??= {
    root, answers: new Map(), parts: new Map(), busy: false, sent: "", until: 0, timer: 0, front: Infinity,
    moment: { value: [], there: [] }, still: matchMedia("(prefers-reduced-motion: reduce)"),
  })
  held.data = data
  remember(held)
  const told = JSON.stringify(data.state)
  if (told === held.sent) held.until = 0
  if (!held.state || (!held.busy && performance.now() >= held.until)) held.state = { ...data.state }
  held.tell = () => {
    held.timer = 0
    held.busy = false
    held.sent = JSON.stringify(held.state)
    held.until = performance.now() + PATIENCE
    setTriggerValue("moved", held.state)
  }
  held.settle = () => {
    clearTimeout(held.timer)
    held.timer = setTimeout(held.tell, SETTLE)
  }
  held.move = (change) => {
    held.busy = true
    held.front = Infinity
    stop(held)
    Object.assign(held.state, change)
    draw(held)
  }
  hurry(held, held.tell)
  controls(held)
  transport(held)
  listen(held)
  draw(held)
  held.watch ??= new ResizeObserver(() => draw(held))
  held.watch.observe(root)
  if (!held.shown || (data.waiting && !held.waiting)) shown(() => data.waiting && setTriggerValue("drawn", true))
  Object.assign(held, { shown: true, waiting: data.waiting })
  if (held.seen?.fresh && held.played !== data.sentence) { // a new sentence is answered
    held.played = data.sentence
    if (!held.still.matches) play(held)
  }
  return () => {
    held.watch.disconnect()
    stop(held)
    document.removeEventListener("pointerdown", held.hurry, true)
  }
}

// --- questions and answers ------------------------------------------------------------------------------------------

function remember(held) {
  for (const [key, answer] of Object.entries(held.data.answers)) {
    const before = held.answers.get(key)
    if (before) answer.hit = { ...before.hit, ...answer.hit }
    held.answers.delete(key)
    held.answers.set(key, answer)
  }
  while (held.answers.size > KEPT) held.answers.delete(held.answers.keys().next().value)
}

function asked({ data, state }) {
  const kind = data.kinds[state.kind]
  const first = kind.choosy ? state.first : true
  const where = state.only ? state.token : first ? "all" : "after_first"
  return `${data.sentence}|${kind.stops[state.size].value}|${where}`
}

// What is on the screen: the answer to the question, or the last one, or an example until there is any.
function inView(held) {
  const answer = held.answers.get(asked(held))
  const hit = answer?.hit[held.state.layer]
  if (hit) held.seen = { answer, hit, layer: held.state.layer, fresh: true }
  else if (held.seen) held.seen = { ...held.seen, fresh: false }
  else {
    const example = held.answers.get(held.data.fallback)
    const layer = Math.min(held.state.layer, example.layers - 1)
    held.seen = { answer: example, hit: example.hit[layer], layer, fresh: false }
  }
  return held.seen
}

// --- the wave -------------------------------------------------------------------------------------------------------

const PACE = 85 // ms from one layer to the next
const STILL = 350 // the same without motion: layers appear one by one

function play(held) {
  const { layer, answer } = inView(held)
  const last = answer.layers - 1
  if (!Number.isFinite(held.front) || held.front >= last) held.front = layer
  const [from, start] = [held.front, performance.now()]
  const tick = (now) => {
    const gone = held.still.matches ? Math.floor((now - start) / STILL) : (now - start) / PACE
    held.front = Math.min(from + Math.max(0, gone), last + 1)
    if (held.front >= last + 1) finish(held)
    else held.playing = requestAnimationFrame(tick)
    draw(held)
  }
  held.playing = requestAnimationFrame(tick)
  draw(held)
}

function stop(held) {
  cancelAnimationFrame(held.playing)
  held.playing = 0
}

function finish(held) {
  stop(held)
  held.front = Infinity
}

function toggle(held) {
  if (!held.playing) return play(held)
  stop(held)
  held.front = Math.floor(held.front)
  draw(held)
}

function step(held, by) {
  const { layer, answer } = inView(held)
  stop(held)
  const at = Number.isFinite(held.front) ? Math.floor(held.front) + by : by > 0 ? layer : answer.layers - 2
  held.front = Math.max(layer, at)
  if (held.front >= answer.layers - 1) finish(held)
  draw(held)
}

const ICONS = {
  play: "M4 2.5v11l9-5.5z",
  pause: "M4 2.5h3v11H4zM9 2.5h3v11H9z",
  back: "M3 2.5h2v11H3zM13 2.5v11L6 8z",
  on: "M11 2.5h2v11h-2zM3 2.5v11L10 8z",
}

function icon(name) {
  const svg = document.createElementNS(SVG, "svg")
  svg.setAttribute("viewBox", "0 0 16 16")
  const path = svg.appendChild(document.createElementNS(SVG, "path"))
  path.setAttribute("d", ICONS[name])
  return svg
}

function transport(held) {
  const row = held.root.querySelector(".transport")
  if (row.childElementCount) return
  const button = (className, title, act) => {
    const made = make("button", { type: "button", className, title, onclick: act })
    made.setAttribute("aria-label", title)
    row.append(made)
    return made
  }
  button("back", "One layer back", () => step(held, -1)).append(icon("back"))
  button("play", "Play", () => toggle(held))
  button("on", "One layer on", () => step(held, 1)).append(icon("on"))
  row.append(make("span", { className: "at" }))
}

function showTransport(held, { layer, answer, hit }) {
  const [button, playing] = [held.root.querySelector(".play"), Boolean(held.playing)]
  if (button.dataset.playing !== String(playing)) {
    button.dataset.playing = playing
    const word = playing ? "Pause" : "Play"
    button.setAttribute("aria-label", `${word} the wave`)
    button.title = `${word} (space)`
    button.replaceChildren(icon(playing ? "pause" : "play"), word)
  }
  const top = answer.layers - 1
  const at = Math.min(Math.floor(held.front), top)
  const mean = hit.mean[at - layer]
  const said = at === layer ? "enters" : mean === null ? "" : `${digits(mean)}×`
  held.root.querySelector(".at").textContent = `layer ${at}${said ? `: ${said}` : ""}`
}

// --- controls -------------------------------------------------------------------------------------------------------

function controls(held) {
  const { data, state } = held
  const box = held.root.querySelector(".controls")
  if (!box.childElementCount) {
    const kinds = data.kinds.map((kind, n) => [kind.label, n])
    box.append(choice("kind", "What is done to the layer", kinds, (n) => ask(held, { kind: n, size: held.data.kinds[n].usual })))
    const input = make("input", { type: "range", min: 0, step: 1, className: "size" })
    input.oninput = () => {
      held.move({ size: Number(input.value) })
      held.settle()
    }
    input.onchange = held.settle
    const name = make("span", { className: "name" })
    box.append(make("label", { className: "slider" }, name, make("b", { className: "value" }), input))
    box.append(choice("only", "Damaged tokens", [["Damage every token", 0], ["", 1]], (n) => ask(held, { only: Boolean(n), token: held.token })))
    const first = make("input", { type: "checkbox", className: "first" })
    first.setAttribute("role", "switch")
    first.onchange = () => ask(held, { first: first.checked })
    box.append(make("label", { className: "switch" }, first, make("i"), make("span", { textContent: "Damage the first token too" })))
  }
  box.querySelector(".size").onchange = held.settle
  const kind = data.kinds[state.kind]
  box.querySelector(".size").max = kind.stops.length - 1
}

function choice(name, legend, options, act) {
  const row = make("div", { className: "options" })
  options.forEach(([text, value]) => {
    const input = make("input", { type: "radio", name, value, onchange: () => act(value) })
    row.append(make("label", {}, input, make("span", { textContent: text })))
  })
  return make("fieldset", { className: `choice ${name}` }, make("legend", { textContent: legend }), row)
}

function ask(held, change) {
  held.move(change)
  held.settle()
}

function showControls(held, { answer, fresh }) {
  const { data, state, root } = held
  const kind = data.kinds[state.kind]
  const size = root.querySelector(".size")
  size.max = kind.stops.length - 1
  size.value = state.size
  size.setAttribute("aria-valuetext", kind.stops[state.size].label)
  root.querySelector(".slider").hidden = kind.stops.length < 2
  root.querySelector(".slider .name").textContent = `${kind.size}: `
  root.querySelector(".slider .value").textContent = kind.stops[state.size].label
  root.querySelectorAll(".kind input").forEach((input) => (input.checked = Number(input.value) === state.kind))
  root.querySelectorAll(".only input").forEach((input) => (input.checked = Number(input.value) === Number(state.only)))
  root.querySelector(".only label:last-child span").textContent = `Only “${answer.tokens[held.token]}”`
  const first = root.querySelector(".first")
  first.checked = kind.choosy ? state.first : true
  first.disabled = !kind.choosy || state.only
  root.querySelector(".switch").hidden = state.only
  root.classList.toggle("stale", !fresh)
}

// --- all of it ------------------------------------------------------------------------------------------------------

function draw(held) {
  if (!held.root.clientWidth) return
  const seen = inView(held)
  const last = seen.answer.tokens.length - 1
  held.token = held.state.token < 0 || held.state.token > last ? last : held.state.token
  showControls(held, seen)
  showTransport(held, seen)
  picture(held, seen)
  speak(held, seen)
  nextWords(held, seen)
}
