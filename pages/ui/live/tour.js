// A picture under the finger. Every number and every word comes from Python: moving a control picks another frame of
// the tables it sent, moving over the picture picks another layer.
const SETTLE = 250 // ms without a further step before Python is told
const PATIENCE = 3000 // ms in which an older answer of Python's does not move the controls back
const ROOM = 60 // px more where type is large
const GAUGE = 104 // px, of the picture below the main one
const EDGE = { left: 56, right: 14, top: 28, bottom: 40 } // px around the picture, for axes
const LAYERS = ["grid", "bars", "bundle", "lines", "front", "axes", "gauge"] // from back to front

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".tour")
  const held = (root.held ??= { busy: false, sent: "", until: 0, timer: 0, state: null, parts: new Map() })
  held.data = data
  const told = { layer: data.pick ? data.pick.index : null, at: data.controls.map((each) => each.index) }
  if (JSON.stringify(told) === held.sent) held.until = 0
  if (!held.state || held.state.at.length !== told.at.length) held.state = told
  else if (!held.busy && performance.now() >= held.until) held.state = told
  const move = () => {
    held.busy = true
    draw(root, held)
  }
  const send = () => {
    held.timer = 0
    held.busy = false
    held.sent = JSON.stringify(held.state)
    held.until = performance.now() + PATIENCE
    setTriggerValue("moved", held.state)
  }
  const settle = () => {
    clearTimeout(held.timer)
    held.timer = setTimeout(send, SETTLE)
  }
  hurry(held, send)
  build(root, held, move, settle)
  listen(root, held, move, settle)
  question(root, held, (value) => setTriggerValue("answered", value))
  join(root, held, (event) => under(root.querySelector("svg"), held, event))
  draw(root, held)
  held.watch ??= new ResizeObserver(() => draw(root, held))
  held.watch.observe(root)
  if (!held.shown || (data.waiting && !held.waiting)) shown(() => data.waiting && setTriggerValue("drawn", true))
  Object.assign(held, { shown: true, waiting: data.waiting })
  return () => {
    held.watch.disconnect()
    document.removeEventListener("pointerdown", held.hurry, true)
  }
}

// --- controls ---------------------------------------------------------------------------------------------------

function build(root, held, move, settle) {
  const { data } = held
  const wanted = JSON.stringify([data.controls.map(({ index, ...rest }) => rest), data.pick?.label, data.layers])
  if (held.built !== wanted) {
    const made = data.controls.map((each, n) => (each.choice ? choice : slider)(each, n))
    if (data.pick) made.unshift(slider({ label: data.pick.label, stops: numbers(data.layers), marks: [] }, -1))
    root.querySelector(".controls").replaceChildren(...made)
    held.built = wanted
  }
  root.classList.toggle("large", data.large)
  root.classList.toggle("first", data.first)
  root.classList.toggle("noted", data.notes.length > 0 || Boolean(data.ask))
  root.querySelectorAll(".controls input").forEach((input) => {
    input.oninput = () => {
      const n = Number(input.dataset.n)
      if (n < 0) held.state.layer = Number(input.value)
      else held.state.at[n] = Number(input.value)
      move()
    }
    input.onchange = settle
  })
}

function slider(control, n) {
  const box = make("div", { className: "control" })
  if (n >= 0) box.dataset.mark = `control-${control.name}`
  const label = make("label")
  const input = make("input", { type: "range", min: 0, max: control.stops.length - 1, step: 1 })
  input.dataset.n = n
  const text = make("span", { textContent: `${control.label}: ` })
  label.append(text, make("b", { className: "value" }), input)
  box.append(label)
  if (control.marks.length) box.append(marks(control))
  box.hidden = control.stops.length < 2
  return box
}

function marks(control) {
  const row = make("div", { className: "marks", ariaHidden: "true" })
  const last = control.stops.length - 1
  control.marks.forEach(([index, textContent]) => {
    const className = index === 0 ? "first" : index === last ? "last" : ""
    const span = make("span", { textContent, className })
    span.style.left = `calc(8px + (100% - 16px) * ${index / last})`
    span.dataset.mark = `stop-${control.name}-${index}`
    row.append(span)
  })
  return row
}

function choice(control, n) {
  const box = make("fieldset", { className: "control" })
  box.dataset.mark = `control-${control.name}`
  const options = make("div", { className: "options" })
  control.stops.forEach((text, value) => {
    const label = make("label")
    label.dataset.mark = `stop-${control.name}-${value}`
    const input = make("input", { type: "radio", name: control.name, value })
    input.dataset.n = n
    label.append(input, make("span", { textContent: text }))
    options.append(label)
  })
  box.append(make("legend", { textContent: control.label }), options)
  return box
}

function listen(root, held, move, settle) {
  const svg = root.querySelector("svg")
  svg.classList.toggle("picks", Boolean(held.data.pick))
  const pick = (event) => {
    held.state.layer = Math.min(Math.max(under(svg, held, event), 0), held.data.layers - 1)
    move()
  }
  svg.onpointerdown = (event) => {
    if (!held.data.pick || event.button > 0) return
    Object.assign(held, { down: true, before: held.state.layer })
    if (event.pointerType !== "mouse") return // a finger may be about to scroll
    svg.setPointerCapture(event.pointerId)
    pick(event)
  }
  svg.onpointermove = (event) => {
    if (held.down) return void (held.data.pick && pick(event))
    if (event.pointerType === "mouse") glance(root, held, event)
  }
  svg.onpointerleave = () => held.down || glance(root, held, null)
  svg.onpointerup = (event) => {
    if (!held.down) return
    held.down = false
    pick(event)
    settle()
  }
  svg.onpointercancel = () => { // it did scroll
    if (!held.down) return
    Object.assign(held, { down: false, busy: false })
    held.state.layer = held.before
    draw(root, held)
  }
}

// The sentence of the layer under a mouse that is not pressed; nothing is picked by that.
function glance(root, held, event) {
  const { data, state } = held
  if (!data.pick) return
  const pointed = event ? under(root.querySelector("svg"), held, event) : -1
  const layer = pointed >= 0 && pointed < data.layers ? pointed : state.layer
  const frame = data.controls.reduce((sum, each, n) => sum * each.stops.length + state.at[n], 0)
  speak(root, data, { ...state, layer }, frame)
  const slider = root.querySelector(".controls input[data-n='-1']")
  slider.value = state.layer
  slider.previousElementSibling.textContent = state.layer
  relight(root, held)
}

// The number of the layer whose column an event lies in; below 0 or too high beside all columns.
function under(svg, held, event) {
  const box = svg.getBoundingClientRect()
  const inner = box.width - EDGE.left - EDGE.right
  return Math.floor(((event.clientX - box.left - EDGE.left) / inner) * held.data.layers)
}

// --- the question ------------------------------------------------------------------------------------------------

function question(root, held, tell) {
  const { ask } = held.data
  const box = root.querySelector(".ask")
  box.hidden = !ask
  if (!ask) return
  write(box.querySelector(".question"), ask.question)
  const made = Object.entries(ask.options).map(([value, textContent]) =>
    make("button", { type: "button", textContent, disabled: Boolean(ask.waiting), onclick: () => tell(value) }))
  box.querySelector(".answers").replaceChildren(...made)
  box.querySelector(".waiting").textContent = ask.waiting
}

// --- drawing ----------------------------------------------------------------------------------------------------

function draw(root, held) {
  const { data, state } = held
  const svg = root.querySelector("svg")
  const width = root.querySelector(".picture").clientWidth
  if (!width) return
  const frame = data.controls.reduce((sum, each, n) => sum * each.stops.length + state.at[n], 0)
  const y = Array.isArray(data.y) ? data.y[frame] : data.y
  const tall = data.height + (data.large ? ROOM : 0)
  const height = tall + (data.gauge ? GAUGE : 0)
  svg.style.height = `${height}px`
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`)
  const inner = width - EDGE.left - EDGE.right
  const place = {
    inner, width, tall, floor: tall - EDGE.bottom,
    step: inner / data.layers,
    x: (layer) => EDGE.left + ((layer + 0.5) / data.layers) * inner,
    y: (value) => place.floor - share(y, value) * (place.floor - EDGE.top),
  }
  const paint = painter(svg, LAYERS, held.parts)
  columns(paint, data, place)
  axes(paint, data, y, place)
  if (data.pick) column(paint, data, state.layer, place)
  if (data.bars) bars(paint, data, frame, state.layer, place)
  data.lines.forEach((each, n) => line(paint, data, each, n, frame, state, place))
  if (data.gauge) gauge(paint, data, data.gauge, frame, place)
  paint.done()
  legend(root, data, state, frame)
  write(root.querySelector(".lead"), data.lead)
  reserve(root, held, width)
  speak(root, data, state, frame)
  notes(root, data, state, frame)
  relight(root, held)
}

function axes(paint, data, y, place) {
  y.ticks.forEach(([value, text], n) => {
    const at = place.y(value)
    const strong = value === data.foot
    paint("grid", `y${n}`, "line", {
      x1: EDGE.left, x2: place.width - EDGE.right, y1: at, y2: at,
      stroke: strong ? data.colours.guide : data.colours.faint, "stroke-width": strong ? 1.5 : 1,
      "stroke-opacity": strong ? 1 : 0.45, ...(strong && { "data-mark": "foot" }),
    })
    paint("axes", `t${n}`, "text", { x: EDGE.left - 8, y: at + 4, "text-anchor": "end" }, text)
  })
  paint("axes", "title", "text", { x: 0, y: 11, "text-anchor": "start" }, y.title)
  const every = Math.ceil(data.layers / Math.max(2, Math.floor(place.inner / 46)))
  const stride = [1, 2, 5, 10, 20, 50].find((each) => each >= every) ?? every
  for (let layer = 0; layer < data.layers; layer += stride)
    paint("axes", `x${layer}`, "text", { x: place.x(layer), y: place.floor + 17, "text-anchor": "middle" }, layer)
  paint("axes", "xtitle", "text", { x: EDGE.left + place.inner / 2, y: place.floor + 34, "text-anchor": "middle", "data-mark": "layers" }, data.x)
}

// A column for every layer, seen where a word points at it.
function columns(paint, data, place) {
  for (let layer = 0; layer < data.layers; layer++)
    paint("grid", `column${layer}`, "rect", {
      class: "column", "data-mark": `layer-${layer}`, x: place.x(layer) - place.step / 2, width: place.step, y: EDGE.top,
      height: place.floor - EDGE.top,
    })
}

function column(paint, data, layer, place) {
  paint("grid", "pick", "rect", {
    x: place.x(layer) - place.step / 2, width: place.step, y: EDGE.top, height: place.floor - EDGE.top,
    fill: data.colours.accent, "fill-opacity": 0.14,
  })
  paint("front", "pin", "path", {
    d: `M${place.x(layer)} ${EDGE.top} l-6 -9 h12 z`, fill: data.colours.accent,
  })
}

function bars(paint, data, frame, picked, place) {
  const { values, tones, base } = data.bars
  const foot = place.y(data.foot)
  const block = (group, id, layer, value, inset, attributes) => {
    const to = place.y(value)
    paint(group, id, "rect", {
      class: "bar", x: place.x(layer) - place.step * (0.5 - inset), width: place.step * (1 - 2 * inset),
      y: Math.min(foot, to), height: Math.max(Math.abs(foot - to), 1), ...attributes,
    })
  }
  values[frame].forEach((value, layer) => {
    if (base) block("grid", `b${layer}`, layer, base[layer], 0.06, {
      fill: data.colours.faint, "fill-opacity": 0.35, stroke: data.colours.guide, "stroke-width": 1,
    })
    if (value === null) return
    const tone = tones ? tones[frame][layer] : layer === picked ? "accent" : "undecided"
    block("bars", `n${layer}`, layer, value, base ? 0.22 : 0.14, {
      fill: data.colours[tone], "fill-opacity": layer === picked || picked === null ? 0.95 : 0.75,
      "data-mark": `layer-${layer} layers`,
    })
  })
}

function line(paint, data, each, n, frame, state, place) {
  const table = each.values[frame]
  const picked = state.layer
  const style = { fill: "none", stroke: data.colours[each.tone], "stroke-width": 3, "stroke-linejoin": "round" }
  if (each.dash) style["stroke-dasharray"] = "5 5"
  const apart = Array.isArray(table[0]) // a line for each layer that may be picked, which begins there
  const [shown, first] = apart ? [table[picked], picked] : [table, 0]
  if (each.bundle)
    table.forEach((values, layer) => layer !== picked && paint("bundle", `${n}-${layer}`, "path", {
      ...style, d: path(values, place), stroke: data.colours.faint, "stroke-width": 1, "data-mark": `layer-${layer} layers`,
    }))
  paint("lines", `l${n}`, "path", { ...style, d: path(shown, place), "data-mark": `${each.mark} layer-${first} layers` })
  const ends = each.mark ? [["start", first], ["end", data.layers - 1]] : [["start", first]]
  ends.forEach(([name, layer], which) => {
    const [cx, cy] = [place.x(layer), place.y(shown[layer])]
    const mark = each.mark ? `${each.mark}-${name}` : ""
    paint("front", `s${n}-${name}`, "circle", { cx, cy, r: 4, fill: data.colours[each.tone], "data-mark": mark })
    if (each.ends) paint("front", `e${n}-${name}`, "text", {
      class: "end", x: cx, y: cy - 10, "text-anchor": which ? "end" : "middle", "data-mark": mark,
    }, look(data, state, frame, each.ends[which]))
  })
}

function path(values, place) {
  let pen = "M"
  return values.map((value, k) => {
    if (value === null) {
      pen = "M"
      return ""
    }
    const part = `${pen}${place.x(k).toFixed(1)} ${place.y(value).toFixed(1)}`
    pen = "L"
    return part
  }).join("")
}

// The one number that the frames lead to, over all frames, with a dot at the one shown.
function gauge(paint, data, told, frame, place) {
  const [top, floor] = [place.tall + 30, place.tall + GAUGE - 6]
  const x = (n) => EDGE.left + 8 + (n / (told.values.length - 1)) * (place.inner - 16)
  const y = (value) => floor - share(told, value) * (floor - top)
  paint("gauge", "gt", "text", { x: 0, y: place.tall + 18, "text-anchor": "start" }, told.title)
  told.ticks.forEach(([value, text], n) => {
    paint("gauge", `gl${n}`, "line", {
      x1: EDGE.left, x2: place.width - EDGE.right, y1: y(value), y2: y(value), stroke: data.colours.faint,
      "stroke-opacity": 0.45,
    })
    paint("gauge", `gx${n}`, "text", { x: EDGE.left - 8, y: y(value) + 4, "text-anchor": "end" }, text)
  })
  if (told.zero !== null) paint("gauge", "g0", "line", {
    x1: x(told.zero), x2: x(told.zero), y1: top, y2: floor, stroke: data.colours.guide, "stroke-dasharray": "3 3",
  })
  const points = told.values.map((value, n) => `${n ? "L" : "M"}${x(n).toFixed(1)} ${y(value).toFixed(1)}`).join("")
  paint("gauge", "gp", "path", { d: points, fill: "none", stroke: data.colours.ink, "stroke-width": 2 })
  told.points.forEach((n) => paint("gauge", `gs${n}`, "circle", {
    cx: x(n), cy: y(told.values[n]), r: 4, fill: data.colours.ink, "data-mark": `gauge-${n}`,
  }))
  paint("gauge", "gd", "circle", {
    cx: x(frame), cy: y(told.values[frame]), r: 7, fill: data.colours.accent, "data-mark": "gauge",
  })
}

function share(axis, value) {
  const scale = axis.log ? Math.log : Number
  return (scale(value) - scale(axis.low)) / (scale(axis.high) - scale(axis.low))
}

// --- words ------------------------------------------------------------------------------------------------------

// Room for the longest sentence there is, so that the picture stays under the finger.
function reserve(root, held, width) {
  if (held.reserved?.data === held.data && held.reserved.width === width) return
  held.reserved = { data: held.data, width }
  const says = root.querySelector(".says")
  says.style.minHeight = ""
  write(says, filled(held.data.says, (name) => longest(held.data, name)))
  says.style.minHeight = `${says.offsetHeight}px`
}

function longest(data, name) {
  if (name === "layer") return String(data.layers - 1)
  return data.slots[name].table.flat().map(String).reduce((long, text) => (text.length > long.length ? text : long), "")
}

function speak(root, data, state, frame) {
  const says = root.querySelector(".says")
  write(says, filled(data.says, (name) => look(data, state, frame, name)))
  root.querySelector("svg").setAttribute("aria-label", [`${data.title}.`, data.finding, says.textContent].filter(Boolean).join(" "))
  root.querySelectorAll(".controls input").forEach((input) => {
    const n = Number(input.dataset.n)
    const now = n < 0 ? state.layer : state.at[n]
    const text = n < 0 ? `layer ${now}` : data.controls[n].stops[now]
    if (input.type === "radio") input.checked = Number(input.value) === now
    else {
      input.value = now
      input.setAttribute("aria-valuetext", text)
      input.previousElementSibling.textContent = n < 0 ? now : text
    }
  })
}

function look(data, state, frame, name) {
  if (name === "layer") return String(state.layer)
  return told(data.slots[name], state, frame)
}

function told(slot, state, frame) {
  if (slot.by === "nothing") return slot.table[0]
  const found = slot.by === "layer" ? slot.table : slot.table[frame]
  return slot.by === "frame" ? found : found[state.layer]
}

function notes(root, data, state, frame) {
  const list = root.querySelector(".told")
  while (list.childElementCount > data.notes.length) list.lastElementChild.remove()
  while (list.childElementCount < data.notes.length) list.append(make("p"))
  data.notes.forEach((slot, n) => {
    write(list.children[n], told(slot, state, frame))
    list.children[n].hidden = !told(slot, state, frame)
  })
}

function legend(root, data, state, frame) {
  const filled = data.key.map(([tone, shape, text]) => {
    const span = make("span")
    const sample = make("i", { className: `sample ${shape}` })
    sample.style.borderColor = data.colours[tone]
    if (shape === "block") sample.style.background = data.colours[tone]
    if (shape === "dash") sample.style.borderTopStyle = "dashed"
    span.append(sample, text.replace(/\{(\w+)\}/g, (_, name) => look(data, state, frame, name)))
    return span
  })
  root.querySelector(".key").replaceChildren(...filled)
}

// --- help -------------------------------------------------------------------------------------------------------

function numbers(count) {
  return [...Array(count).keys()].map(String)
}
