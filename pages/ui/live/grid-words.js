// --- words ----------------------------------------------------------------------------------------------------------

function speak(held, { answer, hit, layer, fresh }) {
  const { data, token, root } = held
  const says = root.querySelector(".says")
  if (says.told !== hit.says || says.tones !== data.colours.absorb) {
    says.replaceChildren(...strong(hit.says))
    says.querySelectorAll("b").forEach((word) => (word.style.color = data.colours[word.textContent] ?? ""))
  }
  Object.assign(says, { told: hit.says, tones: data.colours.absorb })
  const grid = root.querySelector(".grid")
  const word = `token ${token + 1} of ${answer.tokens.length}, “${answer.tokens[token]}”`
  const left = hit.ratio.at(-1)[token]
  const flips = hit.flipped[token] ? "its next word changes" : "its next word stays"
  const ends = left ? `ends at ${digits(left)} times what entered, ${flips}` : "is untouched"
  grid.setAttribute("aria-label", `${data.title} Up and down move the layer, left and right the token, space plays.`)
  grid.setAttribute("aria-valuemax", answer.layers - 1)
  grid.setAttribute("aria-valuenow", layer)
  grid.setAttribute("aria-valuetext", `layer ${layer}; ${word} ${ends}`)
  Object.assign(root.dataset, { layer, token, flips: hit.flipped.filter(Boolean).length, fresh })
  legend(held)
}

function legend(held) {
  const box = held.root.querySelector(".legend")
  const known = JSON.stringify(held.data.colours.diverging)
  if (box.known === known) return
  box.known = known
  const bar = make("span", { className: "bar" })
  bar.style.background = `linear-gradient(90deg, ${held.data.colours.diverging.map(([at, colour]) => `${colour} ${100 * at}%`)})`
  const ends = make("span", { className: "ends" }, ...["⅓×, absorbs", "1×", "3×, amplifies"].map((textContent) => make("span", { textContent })))
  box.replaceChildren(
    make("span", { textContent: "Drift compared with where it entered" }), bar, ends,
    make("span", { textContent: "◆ the predicted next word changes" }),
    make("span", { textContent: "· nothing has arrived" }),
  )
}

// The five likeliest next words after the token that is pointed at or marked, with and without the damage.
function nextWords(held, { answer, hit }) {
  const token = Math.min(held.pointed ?? held.token, answer.tokens.length - 1)
  const box = held.root.querySelector(".next")
  const known = [hit, token, held.data.colours]
  if (box.known?.every((each, n) => each === known[n])) return
  box.known = known
  const flipped = hit.flipped[token]
  const [dense, hurt] = [answer.dense[token], hit.words[token]]
  box.replaceChildren(
    make("p", { className: "after" }, "Next word after ", make("b", { textContent: `“${answer.after[token]}”` }),
      make("span", { className: flipped ? "verdict flips" : "verdict", textContent: flipped ? "prediction changes" : "prediction stays" })),
    list("as it is", dense, dense[0][0]),
    list("after the damage", hurt, dense[0][0]),
  )
}

function list(title, words, best) {
  const rows = words.map(([word, share], n) => {
    const bar = make("i")
    bar.style.width = `${Math.max(1, 100 * share)}%`
    const row = make("li", { className: n === 0 ? (word === best ? "top" : "top other") : word === best ? "was" : "" })
    row.append(make("span", { className: "word", textContent: word }), make("span", { className: "room" }, bar),
      make("span", { className: "share", textContent: `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %` }))
    return row
  })
  return make("div", { className: "list" }, make("h4", { textContent: title }), make("ol", {}, ...rows))
}

function digits(value) {
  if (value === 0) return "0"
  const places = Math.max(0, Math.min(5, 1 - Math.floor(Math.log10(Math.abs(value)))))
  return value.toFixed(value >= 0.095 && value < 9.95 ? 2 : places)
}
