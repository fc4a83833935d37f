// Bars under the finger. Every number comes from Python: dragging only picks a row of the table it sent.
const SETTLE = 200 // ms without a further step before Python is told
const PATIENCE = 3000 // ms in which an older answer of Python's does not move the slider back
const HEIGHT = 260 // px, as in the style

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".allocation")
  const slider = root.querySelector("input")
  const held = (root.held ??= { busy: false, sent: null, until: 0, timer: 0 })
  held.data = data
  build(root, data)
  slider.max = data.strengths.length - 1
  slider.disabled = data.strengths.length === 1
  if (data.index === held.sent) held.until = 0
  if (!held.busy && performance.now() >= held.until) slider.value = data.index
  draw(root, data, Number(slider.value))
  if (!held.shown || (data.waiting && !held.waiting)) shown(() => data.waiting && setTriggerValue("drawn", true))
  Object.assign(held, { shown: true, waiting: data.waiting })
  slider.oninput = () => {
    held.busy = true
    draw(root, held.data, Number(slider.value))
  }
  const send = () => {
    held.timer = 0
    held.busy = false
    held.sent = Number(slider.value)
    held.until = performance.now() + PATIENCE
    setTriggerValue("strength", held.sent)
  }
  slider.onchange = () => {
    clearTimeout(held.timer)
    held.timer = setTimeout(send, SETTLE)
  }
  point(root, held)
  hurry(held, send)
  return () => document.removeEventListener("pointerdown", held.hurry, true)
}

// The numbers of the layer under the pointer, or that a finger touched last.
function point(root, held) {
  const frame = root.querySelector(".frame")
  const at = (event) => {
    const box = root.querySelector(".columns").getBoundingClientRect()
    const layer = Math.floor(((event.clientX - box.left) / box.width) * held.data.base.length)
    held.pointed = layer >= 0 && layer < held.data.base.length ? layer : null
    read(root, held.data, Number(root.querySelector("input").value), held.pointed)
  }
  frame.onpointermove = at
  frame.onpointerdown = at
  frame.onpointerleave = (event) => {
    if (event.pointerType !== "mouse") return
    held.pointed = null
    read(root, held.data, Number(root.querySelector("input").value), null)
  }
}

function read(root, data, index, layer) {
  const reading = root.querySelector(".reading")
  root.columns.forEach(({ column }, each) => column.classList.toggle("pointed", each === layer))
  if (layer === null) return void (reading.textContent = "Point at a layer to read its numbers.")
  const percent = (value) => `${(100 * value).toFixed(1)} %`
  const [base, now] = [data.base[layer], data.rows[index][layer]]
  reading.textContent = `Layer ${layer}: ${percent(now)} zeros; ${data.name} alone ${percent(base)}`
}

function build(root, data) {
  const at = (value) => `${place(data, value)}%`
  fill(root.querySelector(".ticks"), data.ticks, (span, [value, text]) => {
    span.textContent = text
    span.style.bottom = at(value)
  })
  const layers = data.base.length
  fill(root.querySelector(".layers"), [...data.layers, null], (span, layer) => {
    span.textContent = layer === null ? "layer" : layer
    span.className = layer === null ? "title" : ""
    span.style.left = layer === null ? "" : `${((layer + 0.5) / layers) * 100}%`
  })
  root.querySelector(".target").style.bottom = at(data.target)
  root.querySelector(".by-hand").hidden = data.hand.length === 0
  root.querySelector(".name").textContent = data.name
  root.style.setProperty("--base", data.colour)
  root.columns = fill(root.querySelector(".columns"), data.base, (column, base, layer) => {
    column.className = "column"
    const [first, now, shift, limit, hand] = fill(column, ["base", "now", "shift", "limit", "hand"], (part, name) => {
      part.className = name
    })
    span(first, data, data.target, base)
    hand.textContent = data.hand.includes(layer) ? "●" : ""
    return { column, now, shift, limit }
  })
}

function draw(root, data, index) {
  const row = data.rows[index]
  const bound = new Set(data.bound[index])
  row.forEach((value, layer) => {
    const { column, now, shift, limit } = root.columns[layer]
    const base = data.base[layer]
    span(now, data, data.target, value)
    span(shift, data, base, value)
    const pixels = (Math.abs(place(data, value) - place(data, base)) * HEIGHT) / 100
    shift.className = pixels < 3 ? "shift none" : value > base ? "shift up" : "shift down"
    limit.hidden = !bound.has(layer)
    limit.style.bottom = `${place(data, value)}%`
  })
  const [lose, says] = data.says[index]
  root.querySelector(".value").textContent = data.strengths[index]
  root.querySelector(".lose").textContent = lose
  root.querySelector(".says").textContent = says
  root.querySelector(".on-bound").hidden = bound.size === 0
  root.querySelector(".plot").setAttribute("aria-label", `${data.title} ${lose} ${says}`)
  read(root, data, index, root.held.pointed ?? null)
  const estimate = data.told[index].length ? `, estimate ${data.told[index][1][0]}` : ""
  root.querySelector("input").setAttribute("aria-valuetext", `${data.strengths[index]}${estimate}`)
  const told = root.querySelector(".estimate")
  told.replaceChildren(...data.told[index].map(([text, strong]) => Object.assign(
    document.createElement(strong ? "b" : "span"), { textContent: text })))
}

function place(data, value) {
  return ((value - data.low) / (data.high - data.low)) * 100
}

function span(part, data, from, to) {
  const [a, b] = [place(data, from), place(data, to)]
  part.style.bottom = `${Math.min(a, b)}%`
  part.style.height = `${Math.abs(a - b)}%`
}

// As many children as values; `each` dresses a child and may return what is kept of it.
function fill(parent, values, each) {
  while (parent.childElementCount > values.length) parent.lastElementChild.remove()
  while (parent.childElementCount < values.length) parent.append(document.createElement("span"))
  return [...parent.children].map((child, i) => each(child, values[i], i) ?? child)
}
