// What every live part needs. It stands before the part's own file.
const SVG = "http://www.w3.org/2000/svg"

// A press elsewhere may be on a link: what is still to be told is told before it, or Streamlit would take it for a
// message of the page that is left, and come back.
function hurry(held, send) {
  document.removeEventListener("pointerdown", held.hurry, true)
  held.hurry = () => {
    if (!held.timer) return
    clearTimeout(held.timer)
    send()
  }
  document.addEventListener("pointerdown", held.hurry, true)
}

// A frame's timers run once the frame is on the screen. The mark is for whoever measures how long that took.
function shown(tell) {
  requestAnimationFrame(() => setTimeout(() => {
    performance.mark("picture")
    tell()
  }))
}

// Elements are kept between drawings and looked up by their name, so that they move and are not made anew.
function painter(svg, groups, parts) {
  const used = new Set()
  for (const name of groups)
    if (!parts.has(name)) parts.set(name, svg.appendChild(document.createElementNS(SVG, "g")))
  const paint = (group, id, tag, attributes, text) => {
    const name = `${group}/${id}`
    if (!parts.has(name)) parts.set(name, parts.get(group).appendChild(document.createElementNS(SVG, tag)))
    const element = parts.get(name)
    used.add(name)
    const before = (element.drawn ??= {})
    for (const [key, value] of Object.entries({ ...attributes, text })) {
      if (before[key] === value) continue
      before[key] = value
      if (key === "text") element.textContent = value
      else element.setAttribute(key, value)
    }
  }
  paint.done = () => parts.forEach((element, name) => {
    if (!name.includes("/") || used.has(name)) return
    element.remove()
    parts.delete(name)
  })
  return paint
}

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties)
  element.append(...children)
  return element
}

// Text whose parts between ** are strong.
function strong(text) {
  return text.split("**").map((part, n) => (n % 2 ? make("b", { textContent: part }) : part))
}
