// What pruning does to what a model writes. Every text comes from Python: the slider picks another of those it sent.
const SETTLE = 250 // ms without a further step before Python is told
const PATIENCE = 3000 // ms in which an older answer of Python's does not move the slider back

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".texts")
  const held = (root.held ??= { busy: false, sent: "", until: 0, timer: 0 })
  held.data = data
  if (JSON.stringify(data.state) === held.sent) held.until = 0
  if (!held.state || (!held.busy && performance.now() >= held.until)) held.state = { ...data.state }
  held.state.prompt = Math.min(held.state.prompt, data.prompts.length - 1)
  const tell = () => {
    Object.assign(held, { timer: 0, busy: false, sent: JSON.stringify(held.state), until: performance.now() + PATIENCE })
    setTriggerValue("chosen", held.state)
  }
  const settle = () => {
    clearTimeout(held.timer)
    held.timer = setTimeout(tell, SETTLE)
  }
  const move = (change) => {
    held.busy = true
    Object.assign(held.state, change)
    write(root, held)
  }
  hurry(held, tell)
  const slider = root.querySelector(".slider input")
  slider.max = data.zeros.length - 1
  slider.oninput = () => move({ zeros: Number(slider.value) })
  slider.onchange = settle
  prompts(root, held, (prompt) => {
    move({ prompt })
    settle()
  })
  write(root, held)
  return () => document.removeEventListener("pointerdown", held.hurry, true)
}

function prompts(root, held, act) {
  const { data } = held
  const known = JSON.stringify(data.prompts.map(({ text }) => text))
  if (held.known === known) return
  held.known = known
  root.querySelector(".options").replaceChildren(...data.prompts.map(({ text, own }, n) => {
    const input = make("input", { type: "radio", name: "prompt", value: n, onchange: () => act(n) })
    return make("label", {}, input, make("span", { textContent: own ? `Yours: ${text}` : text }))
  }))
}

function write(root, held) {
  const { data, state } = held
  const slider = root.querySelector(".slider input")
  const share = data.zeros[state.zeros]
  slider.value = state.zeros
  slider.setAttribute("aria-valuetext", share)
  root.querySelector(".value").textContent = share
  root.querySelectorAll(".options input").forEach((input) => (input.checked = Number(input.value) === state.prompt))
  const prompt = data.prompts[state.prompt]
  root.querySelector(".cards").replaceChildren(
    card(prompt, "Dense", "nothing removed", prompt.dense && { text: prompt.dense, same: prompt.dense.length }),
    ...data.methods.map(({ word, label }) => {
      const found = prompt.written[word][state.zeros]
      return card(prompt, label, found ? found.said : "", found)
    }),
  )
}

function card(prompt, label, said, found) {
  const text = found
    ? [make("span", { className: "prompt", textContent: prompt.text }), found.text.slice(0, found.same),
      make("mark", { textContent: found.text.slice(found.same) })]
    : [make("span", { className: "prompt", textContent: prompt.own ? "The model writes…" : "" })]
  return make("div", { className: "card" }, make("h4", { textContent: label }), make("p", {}, ...text),
    make("p", { className: "said", textContent: said }))
}
