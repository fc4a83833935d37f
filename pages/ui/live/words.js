// Sentences whose words refer to marks in the picture, `ends at [0.19](curve-end)`, and light them up: both ways.
const REFERENCE = /\[([^\[\]]+)\]\(([^()]*)\)/
const PART = new RegExp(`${REFERENCE.source}|\\*\\*(.+?)\\*\\*`, "g")
const SLOT = /\{(\w+)\}/g

// A template with its slots filled. A slot outside of references is bold.
function filled(template, word) {
  const bare = (text) => text.replace(SLOT, (_, name) => word(name))
  const strong = (text) => text.replace(SLOT, (_, name) => (word(name) === "" ? "" : `**${word(name)}**`))
  let [text, rest] = ["", template]
  for (let found = REFERENCE.exec(rest); found; found = REFERENCE.exec(rest)) {
    text += strong(rest.slice(0, found.index)) + bare(found[0])
    rest = rest.slice(found.index + found[0].length)
  }
  return text + strong(rest)
}

// Nothing is made anew where nothing changed: a word keeps the focus and stays lit. A number keeps its sign.
function write(element, said) {
  if (element.said === said) return
  element.said = said
  element.replaceChildren(...pieces(said.replaceAll(" %", "\u00a0%")))
  element.hidden = !said
}

function pieces(said) {
  const made = []
  let from = 0
  for (const { 0: whole, 1: text, 2: marks, 3: strong, index } of said.matchAll(PART)) {
    made.push(said.slice(from, index))
    if (strong === undefined) made.push(reference(text, marks))
    else {
      made.push(make("b"))
      made.at(-1).append(...pieces(strong))
    }
    from = index + whole.length
  }
  return [...made, said.slice(from)]
}

function reference(textContent, marks) {
  const word = make("span", { className: "ref", role: "button", tabIndex: 0, textContent })
  word.dataset.mark = marks
  return word
}

// --- lighting ---------------------------------------------------------------------------------------------------

// A pointed word lights its marks; a pointed mark, or column of the picture, lights the words that speak of it.
function join(root, held, column) {
  if (held.joined) return
  held.joined = true
  const point = (event) => {
    const pointed = event.target.closest?.("[data-mark]")
    if (pointed?.classList.contains("ref")) return light(root, held, named(pointed), pointed)
    const inside = event.target.closest?.("svg") && event.clientX !== undefined
    light(root, held, inside ? beneath(root, event, column(event)) : named(pointed), null)
  }
  const leave = (event) => event.pointerType !== "touch" && light(root, held, [], null) // a finger does not hover
  for (const kind of ["pointermove", "focusin", "click"]) root.addEventListener(kind, point)
  for (const kind of ["pointerleave", "focusout"]) root.addEventListener(kind, leave)
}

// The marks at a place, those that others cover too. Of layers it is the one of the column; the axis speaks of all.
function beneath(root, { clientX, clientY }, layer) {
  const there = root.getRootNode().elementsFromPoint(clientX, clientY)
  const marks = there.filter((each) => each.dataset?.mark && each.closest("svg")).flatMap(named)
  const others = marks.filter((mark) => !mark.startsWith("layer"))
  return marks.join() === "layers" ? marks : [...others, `layer-${layer}`]
}

function light(root, held, marks, word) {
  const key = marks.join()
  if (held.lit?.key === key && held.lit.word === word) return
  held.lit = { key, marks, word }
  relight(root, held)
}

function relight(root, held) {
  const { marks, word } = held.lit ?? { marks: [], word: null }
  root.querySelectorAll("[data-mark]").forEach((each) => {
    const shares = named(each).some((mark) => marks.includes(mark))
    each.classList.toggle("lit", each === word || (shares && !(word && each.classList.contains("ref"))))
  })
}

function named(element) {
  return element?.dataset.mark.split(" ").filter(Boolean) ?? []
}
