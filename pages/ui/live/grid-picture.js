// --- the picture: layers by tokens, the output at the top -----------------------------------------------------------

const TALL = 285 // px of all layers, where words lie flat enough
const FLAT = 52 // px of such words
const TOP = 30 // px above them, for the mark of the first token and the predictions that change
const LEFT = 34 // px for the numbers of layers
const REACH = Math.log2(3) // colours end at 3× and at 1/3×
const MORPH = 170 // ms from one picture to the next
const GROUPS = ["back", "rows", "strip", "marks", "labels", "front"]
const TILT = 38 // degrees of words that are wider than their column

function place(held, answer) {
  const width = held.root.querySelector(".picture").clientWidth
  const right = width < 480 ? 46 : 64
  const [layers, tokens] = [answer.layers, answer.tokens.length]
  const across = (width - LEFT - right) / tokens
  const words = fitted(held, answer.tokens, across)
  const tall = TALL - Math.max(0, words.height - FLAT) // all of it stays on the screen
  const row = tall / layers
  return {
    width, right, layers, tokens, across, row, words, floor: TOP + tall,
    x: (token) => LEFT + token * across,
    y: (layer) => TOP + (layers - 1 - layer) * row, // the upper edge
    edge: LEFT + tokens * across,
  }
}

function picture(held, seen) {
  const at = place(held, seen.answer)
  const height = at.floor + at.words.height
  const svg = held.root.querySelector(".grid svg")
  svg.style.height = `${height}px`
  svg.setAttribute("viewBox", `0 0 ${at.width} ${height}`)
  const { layers, across, row } = at
  svg.parentElement.dataset.shape = JSON.stringify({ left: LEFT, top: TOP, layers, across, row }) // for who points at it
  cells(held, seen, at)
  const paint = painter(svg, GROUPS, held.parts)
  layerNumbers(paint, held, seen, at)
  entry(paint, held, seen, at)
  predictions(paint, held, seen, at)
  strip(paint, held, seen, at)
  tokenWords(paint, held, seen, at)
  paint.done()
}

// --- cells, on a canvas, for there may be two thousand ---

function cells(held, seen, at) {
  const target = aim(seen)
  const same = held.target && held.target.value.length === target.value.length && held.layers === at.layers
  if (!same || held.still.matches || Number.isFinite(held.front)) held.moment = target
  else if (held.aimed !== seen.hit) {
    held.from = held.moment
    held.began = performance.now()
  }
  Object.assign(held, { target, aimed: seen.hit, layers: at.layers })
  morph(held)
  paintCells(held, seen, at)
}

function aim({ answer, hit, layer }) {
  const [value, there] = [[], []]
  for (let k = 0; k < answer.layers; k++)
    for (let t = 0; t < answer.tokens.length; t++) {
      const ratio = k < layer ? null : hit.ratio[k - layer][t]
      value.push(ratio ? Math.log2(ratio) : 0)
      there.push(ratio ? 1 : 0)
    }
  return { value, there }
}

function morph(held) {
  if (!held.from) return
  const share = Math.min(1, (performance.now() - held.began) / MORPH)
  const mix = (a, b) => b.map((each, n) => a[n] + (each - a[n]) * share)
  held.moment = { value: mix(held.from.value, held.target.value), there: mix(held.from.there, held.target.there) }
  if (share === 1) held.from = null
  else requestAnimationFrame(() => held.root.isConnected && draw(held))
}

function paintCells(held, { layer, hit }, at) {
  const canvas = held.root.querySelector("canvas")
  const sharp = window.devicePixelRatio || 1
  const [wide, high] = [Math.round(at.width * sharp), Math.round((at.floor + 2) * sharp)]
  if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high })
  canvas.style.height = `${at.floor + 2}px`
  const pen = canvas.getContext("2d")
  pen.setTransform(sharp, 0, 0, sharp, 0, 0)
  pen.clearRect(0, 0, at.width, at.floor + 2)
  const { value, there } = held.moment
  for (let k = 0; k < at.layers; k++)
    for (let t = 0; t < at.tokens; t++) {
      const n = k * at.tokens + t
      const seen = there[n] * Math.min(1, Math.max(0, held.front - k + 1))
      if (seen < 1) dot(pen, held, at, k, t)
      if (seen > 0) tile(pen, held, at, k, t, value[n], seen, k === layer && hit.ratio[0][t])
    }
}

// Nothing arrived here.
function dot(pen, held, at, k, t) {
  pen.globalAlpha = 0.55
  pen.fillStyle = held.data.colours.faint
  pen.fillRect(at.x(t) + at.across / 2 - 0.75, at.y(k) + at.row / 2 - 0.75, 1.5, 1.5)
}

function tile(pen, held, at, k, t, value, seen, enters) {
  const share = (0.3 + 0.7 * Math.min(1, Math.max(0, (value + 3) / 3))) * (0.4 + 0.6 * seen)
  const [wide, high] = [Math.max(2, (at.across - 1.5) * share), Math.max(2, (at.row - 1.5) * share)]
  pen.globalAlpha = seen
  pen.fillStyle = enters ? held.data.colours.accent : tone(held, value)
  pen.beginPath()
  pen.roundRect(at.x(t) + (at.across - wide) / 2, at.y(k) + (at.row - high) / 2, wide, high, Math.min(2.5, high / 3))
  pen.fill()
}

function tone(held, value) {
  const stops = held.data.colours.diverging
  const at = (Math.max(-REACH, Math.min(REACH, value)) / REACH + 1) / 2
  const n = Math.min(stops.length - 2, Math.max(0, stops.findIndex(([place]) => place > at) - 1))
  const [[low, a], [high, b]] = at === 1 ? stops.slice(-2) : [stops[n], stops[n + 1]]
  const share = (at - low) / (high - low)
  const part = (text, i) => parseInt(text.slice(1 + 2 * i, 3 + 2 * i), 16)
  return `rgb(${[0, 1, 2].map((i) => Math.round(part(a, i) + (part(b, i) - part(a, i)) * share)).join(" ")})`
}

// --- what stands around them ---

function layerNumbers(paint, { data }, { layer }, at) {
  for (let k = 0; k < at.layers; k += 1) {
    if (k === layer || (k % 5 && k !== at.layers - 1) || Math.abs(k - layer) * at.row < 12) continue
    if (k !== at.layers - 1 && (at.layers - 1 - k) * at.row < 12) continue
    paint("labels", `k${k}`, "text", { x: LEFT - 7, y: at.y(k) + at.row / 2 + 4, "text-anchor": "end" }, k)
  }
  const own = { x: LEFT - 7, y: at.y(layer) + at.row / 2 + 4, "text-anchor": "end", class: "own", fill: data.colours.accent }
  paint("labels", "own", "text", own, layer)
  paint("labels", "layer", "text", { x: 0, y: at.floor + 14, "text-anchor": "start" }, "layer")
}

function entry(paint, held, { layer }, at) {
  const { data, state } = held
  const colour = data.colours.accent
  paint("back", "column", "rect", {
    x: at.x(held.token), width: at.across, y: TOP - 14, height: at.floor - TOP + 16, rx: 3,
    fill: colour, "fill-opacity": 0.1,
  })
  paint("rows", "entry", "rect", {
    x: LEFT - 1.5, width: at.edge - LEFT + 3, y: at.y(layer) - 1.5, height: at.row + 3, rx: 3, fill: "none",
    stroke: colour, "stroke-width": 1.5,
  })
  const below = layer >= 2
  paint("front", "enters", "text", {
    class: "enters", x: LEFT + 4, y: below ? at.y(layer) + at.row + 15 : at.y(layer) - 6, fill: colour,
  }, `▲ ${data.kinds[state.kind].enters}`)
  if (Number.isFinite(held.front)) paint("front", "wave", "rect", {
    x: LEFT, width: at.edge - LEFT, y: at.y(held.front) + at.row, height: 2, fill: colour, "fill-opacity": 0.8,
  })
}

function predictions(paint, held, { answer, hit }, at) {
  const arrived = held.front >= at.layers - 1
  hit.flipped.forEach((flipped, t) => {
    const [x, y] = [at.x(t) + at.across / 2, TOP - 7]
    const size = Math.min(4.5, at.across * 0.42)
    if (flipped && arrived) paint("marks", `f${t}`, "path", {
      d: `M${x} ${y - size} l${size} ${size} l${-size} ${size} l${-size} ${-size}z`, fill: held.data.colours.ink,
    })
    else paint("marks", `d${t}`, "circle", { cx: x, cy: y, r: 1, fill: held.data.colours.undecided })
  })
  if (answer.sink) paint("front", "sink", "text", { class: "sink", x: at.x(answer.sink.token) + 1, y: 10 }, "▾ attention sink")
}

// The mean over the tokens that were damaged, layer by layer, beside the rows it is of.
function strip(paint, held, { hit, layer }, at) {
  const [from, wide] = [at.edge + 10, at.right - 18]
  const x = (ratio) => from + ((Math.max(-REACH, Math.min(REACH, Math.log2(ratio))) / REACH + 1) / 2) * wide
  const middle = (k) => at.y(k) + at.row / 2
  paint("strip", "one", "line", {
    x1: x(1), x2: x(1), y1: TOP, y2: at.floor, stroke: held.data.colours.guide, "stroke-dasharray": "2 3",
  })
  paint("labels", "one", "text", { x: x(1), y: at.floor + 14, "text-anchor": "middle" }, "1×")
  const last = Math.min(at.layers - 1, Math.floor(held.front))
  const seen = hit.mean.slice(0, last - layer + 1).map((ratio, n) => [ratio, layer + n]).filter(([ratio]) => ratio)
  if (!seen.length) return
  const d = seen.map(([ratio, k], n) => `${n ? "L" : "M"}${x(ratio).toFixed(1)} ${middle(k).toFixed(1)}`).join("")
  paint("strip", "path", "path", { d, fill: "none", stroke: held.data.colours.ink, "stroke-width": 1.75, "stroke-linejoin": "round" })
  const [ratio, k] = seen.at(-1)
  const end = Math.min(Math.max(x(ratio), from + 14), from + wide - 10)
  const side = ratio > 1.05 ? "amplify" : ratio < 0.95 ? "absorb" : "ink"
  paint("strip", "end", "circle", { cx: x(ratio), cy: middle(k), r: 4, fill: held.data.colours[side] })
  paint("front", "end", "text", {
    class: "end", x: end, y: middle(k) - 9, "text-anchor": "middle", fill: held.data.colours[side],
  }, `${digits(ratio)}×`)
}

// --- the words under the grid ---

function fitted(held, tokens, across) {
  const known = `${across.toFixed(1)} ${tokens.join(" ")}`
  if (held.fitted?.known === known) return held.fitted
  const pen = (held.pen ??= document.createElement("canvas").getContext("2d"))
  pen.font = `13px ${getComputedStyle(held.root).fontFamily}`
  const widest = Math.max(...tokens.map((word) => pen.measureText(word).width))
  const turn = widest + 4 <= across ? 0 : across >= 16 ? TILT : 90
  const sine = Math.sin((turn * Math.PI) / 180)
  held.fitted = { known, turn, height: turn ? Math.min(104, 14 + widest * sine) : 24 }
  return held.fitted
}

function tokenWords(paint, held, { answer }, at) {
  const { turn } = at.words
  const every = turn === 90 ? Math.ceil(12 / at.across) : 1 // words that would lie over one another are left out
  answer.tokens.forEach((word, t) => {
    const own = t === held.token
    if (!own && (t % every || Math.abs(t - held.token) < every)) return
    const [x, y] = [at.x(t) + at.across / 2, at.floor + (turn ? 11 : 16)]
    const where = turn ? { transform: `translate(${x + 3} ${y}) rotate(${-turn})` } : { transform: `translate(${x} ${y})` }
    paint("labels", `t${t}`, "text", {
      ...where, "text-anchor": turn ? "end" : "middle", class: own ? "word own" : "word",
      fill: own ? held.data.colours.accent : "", "font-size": turn === 90 ? 11 : 13,
    }, word)
  })
}

// --- finger, mouse and keys ---

function listen(held) {
  const grid = held.root.querySelector(".grid")
  const under = (event) => {
    const box = grid.getBoundingClientRect()
    const at = place(held, inView(held).answer)
    const token = Math.floor((event.clientX - box.left - LEFT) / at.across)
    const layer = at.layers - 1 - Math.floor((event.clientY - box.top - TOP) / at.row)
    const within = (value, count) => Math.min(Math.max(value, 0), count - 1)
    const inside = token >= 0 && token < at.tokens
    return { token: within(token, at.tokens), layer: within(layer, at.layers), inside, low: layer < 0, high: layer >= at.layers }
  }
  const pick = (event) => {
    const { token, layer, inside, low, high } = under(event)
    const change = low || high ? {} : { layer }
    if (inside) change.token = token
    held.dragged ||= held.down && change.layer !== undefined && change.layer !== held.state.layer
    held.move(change)
  }
  grid.onpointerdown = (event) => {
    if (event.button > 0) return
    Object.assign(held, { down: true, dragged: false, before: { ...held.state } })
    if (event.pointerType !== "mouse") return // a finger may be about to scroll
    grid.setPointerCapture(event.pointerId)
    pick(event)
    held.dragged = false
  }
  grid.onpointermove = (event) => {
    if (held.down) pick(event)
    else hover(held, event, under(event))
  }
  grid.onpointerup = (event) => {
    if (!held.down) return
    if (event.pointerType !== "mouse") pick(event)
    const fresh = held.before.layer !== held.state.layer
    held.down = false
    if (fresh && !(held.dragged && event.pointerType === "mouse") && !held.still.matches) play(held)
    held.settle()
  }
  grid.onpointercancel = () => { // it did scroll
    if (!held.down) return
    Object.assign(held, { down: false, busy: false })
    held.move(held.before)
  }
  grid.onpointerleave = () => hover(held, null)
  grid.onkeydown = (event) => keys(held, event)
}

function keys(held, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return
  const { answer } = inView(held)
  const { token, state: { layer } } = held
  const ways = {
    ArrowUp: { layer: layer + 1 }, ArrowDown: { layer: layer - 1 },
    ArrowRight: { token: token + 1 }, ArrowLeft: { token: token - 1 },
    Home: { layer: 0 }, End: { layer: answer.layers - 1 },
  }
  if (event.key === " ") toggle(held)
  else if (!ways[event.key]) return
  else {
    const to = { layer, token, ...ways[event.key] }
    if (to.layer >= 0 && to.layer < answer.layers && to.token >= 0 && to.token < answer.tokens.length) {
      held.move(ways[event.key])
      held.settle()
    }
  }
  event.preventDefault()
}

function hover(held, event, place) {
  const tip = held.root.querySelector(".tip")
  tip.hidden = !event || !place.inside
  held.pointed = tip.hidden ? null : place.token
  if (!tip.hidden) {
    tip.textContent = pointed(held.seen, place)
    const box = held.root.querySelector(".picture").getBoundingClientRect()
    const [x, y] = [event.clientX - box.left, event.clientY - box.top]
    const left = x > box.width / 2
    Object.assign(tip.style, { left: left ? "" : `${x + 14}px`, right: left ? `${box.width - x + 14}px` : "", top: `${y - 34}px` })
  }
  nextWords(held, held.seen)
}

function pointed({ answer, hit, layer }, { token, layer: at, low, high }) {
  const word = `“${answer.tokens[token]}”`
  if (low) return word
  const [before, after] = [answer.dense[token][0][0], hit.words[token][0][0]]
  if (high) return hit.flipped[token] ? `after ${word}: “${before}” becomes “${after}”` : `after ${word}: “${before}” stays`
  const ratio = at < layer ? null : hit.ratio[at - layer][token]
  if (!ratio) return `after layer ${at}, ${word}: untouched`
  return `after layer ${at}, ${word}: drift ${digits(ratio * hit.entered[token])}, ${digits(ratio)}× what entered`
}
