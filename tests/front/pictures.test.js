import assert from "node:assert/strict"
import { test } from "node:test"
import { cellAt, cells, decisions, placed, spoken, surroundings, wording } from "../../pages/ui/live/cells.js"
import { Plot } from "../../pages/ui/live/plot.js"
import { fill, filled } from "../../pages/ui/live/sentences.js"

/** A plot of 30 layers on a sheet of paper, and what is drawn there. */
function drawn() {
  const marks = []
  const axis = { title: "gain", low: 0, high: 10, ticks: [[0, "0"], [5, "5"]] }
  const paint = (name, tag, attributes, text) => marks.push({ name, tag, attributes, text })
  return { plot: new Plot(paint, axis, 30, [56, 656], [28, 200]), marks }
}

test("the column of a layer holds its middle, and nothing beside the columns is a layer", () => {
  const { plot } = drawn()
  for (let layer = 0; layer < 30; layer++) assert.equal(plot.layer(plot.x(layer)), layer)
  assert.equal(plot.layer(20), -2)
  assert.equal(plot.layer(669), 30)
})

test("a bar stands between its two values whichever is higher, and is never too thin to be seen", () => {
  const { plot, marks } = drawn()
  plot.bar("bars/up", 3, [2, 8], 0.1, {})
  plot.bar("bars/down", 3, [8, 2], 0.1, {})
  plot.bar("bars/flat", 3, [5, 5], 0.1, {})
  const [up, down, flat] = marks.map(({ attributes }) => attributes)
  assert.deepEqual(up, down)
  assert.equal(up.y, plot.y(8))
  assert.ok(Math.abs(up.y + up.height - plot.y(2)) < 1e-9)
  assert.ok(Math.abs(up.width - 0.8 * plot.step) < 1e-9)
  assert.equal(flat.height, 1)
})

test("both axes say their values, every layer has a column, and the strong line is where bars begin", () => {
  const { plot, marks } = drawn()
  plot.axes("layer", 5)
  const said = marks.filter(({ tag }) => tag === "text").map(({ text }) => text)
  for (const text of ["0", "5", "gain", "layer", 0, 25]) assert.ok(said.includes(text), String(text))
  assert.equal(marks.filter(({ attributes }) => attributes.class === "column").length, 30)
  const foot = marks.find(({ attributes }) => attributes["data-mark"] === "foot")
  assert.equal(foot?.attributes.y1, plot.y(5))
  assert.equal(new Set(marks.map(({ name }) => name)).size, marks.length) // a name for each
})

test("a line over layers is interrupted where nothing is known", () => {
  const { plot, marks } = drawn()
  plot.line("lines/one", [1, 2, null, 4], {})
  assert.equal(marks[0].attributes.d.match(/M/g).length, 2)
})

test("a pointed cell is the one that is drawn there, at every width and count", () => {
  for (const [width, layers, tokens, widest] of [[1000, 30, 16, 40], [390, 30, 64, 80], [700, 12, 3, 20]]) {
    const at = placed(width, layers, tokens, widest, width > 500)
    for (const [layer, token] of [[0, 0], [layers - 1, tokens - 1], [5, 2]])
      assert.deepEqual(cellAt(at, at.x(token), at.y(layer)), { layer, token, inside: true })
    assert.ok(cellAt(at, at.x(0), at.floor + 5).layer < 0)
    assert.ok(cellAt(at, at.x(0), 3).layer >= layers)
    assert.equal(cellAt(at, at.edge + 5, at.floor - 5).inside, false)
    assert.ok(at.edge <= width)
  }
})

/** What stands around the cells where these tokens of eight are hurt after layer 16. */
function around(hurt, sink = null) {
  const [marks, tokens] = [[], Array.from({ length: 8 }, (_, at) => `w${at}`)]
  const at = placed(700, 30, 8, 40)
  const ratio = Array.from({ length: 14 }, () => tokens.map((_, token) => (hurt.includes(token) ? 1 : null)))
  const seen = { answer: { layers: 30, tokens, sink }, hit: { ratio, flipped: tokens.map(() => false) }, layer: 16 }
  const words = { layer: "layer", sink: "a sink", longer: "{longer}× as long" }
  const paint = (name, tag, attributes, text) => marks.push({ name, tag, attributes, text })
  surroundings(paint, at, seen, { token: 7, front: Infinity, enters: "noise enters here", words })
  return { at, marks, find: (name) => marks.find((each) => each.name === name) }
}

test("where the noise enters is said at the first token that it hurts", () => {
  for (const [hurt, first] of [[[0, 1, 2, 3, 4, 5, 6, 7], 0], [[1, 2, 3, 4, 5, 6, 7], 1], [[2], 2], [[7], 7]]) {
    const { at, find } = around(hurt)
    const { attributes: { x, "text-anchor": anchor }, text } = find("front/enters")
    assert.equal(text.indexOf("▲"), anchor === "end" ? text.length - 1 : 0)
    assert.ok(Math.abs(x - at.x(first)) <= 5, `${hurt}`)
    assert.equal(anchor === "end", first > 3) // or it would run out of the picture
  }
})

test("the sink is explained where it stands", () => {
  const { at, marks } = around([0], { token: 0, longer: 139.2, layer: 12 })
  const lines = marks.filter(({ name }) => name.startsWith("front/sink"))
  assert.deepEqual(lines.map(({ text }) => text), ["a sink", "139× as long"])
  assert.ok(lines.every(({ attributes: { x, y } }) => x < at.x(0) && y < at.top - 14))
  assert.equal(around([0]).find("front/sink-0"), undefined)
})

test("words lie flat where they fit, slanted where they do not, and upright where columns are narrow", () => {
  const turn = (width, tokens, widest) => placed(width, 30, tokens, widest, false).turn
  assert.deepEqual([turn(1000, 8, 60), turn(1000, 16, 80), turn(390, 64, 80)], [0, 38, 90])
  assert.ok(placed(390, 30, 64, 500, false).height < 500) // all of it stays on the screen
  assert.equal(placed(1000, 30, 8, 60, false).row, 13) // and a finger hits a layer
})

test("words stand in cells that hold them, else beside the grid for the marked token alone", () => {
  const row = (word, share) => Array(8).fill([["so", 0.5]]).with(1, [[word, share]])
  const lens = { dense: Array(4).fill(row("on", 0.5)), hurt: Array(2).fill(row("no", 0.25)) }
  const seen = { lens, layer: 2, hit: { ratio: Array(2).fill(Array(8).fill(1)) } }
  const picture = (width) => {
    const parts = new Map()
    const paint = (name, tag, attributes, text) => parts.set(name, { ...attributes, text })
    const now = { token: 1, front: 2, after: "after this", wide: (text) => 6 * text.length }
    const at = placed(width, 4, 8, 30, true)
    cells(paint, at, seen, Infinity, { accent: "red", faint: "grey", diverging: [[0, "red"], [1, "blue"]] })
    wording(paint, at, seen, now)
    return { at, parts, said: [...parts.keys()].filter((name) => /^words.\d/.test(name)) }
  }
  const [wide, narrow] = [picture(600), picture(300)]
  assert.equal(wide.said.length, 32)
  assert.deepEqual(narrow.said, [0, 1, 2, 3].map((layer) => `words/${layer}-1`))
  assert.equal(wide.parts.get("words/2-1").text, "no")
  assert.match(wide.parts.get("words/2-1").class, /other/)
  assert.equal(wide.parts.get("words/3-1").text, "on") // the wave has not been there
  assert.ok(narrow.parts.get("words/0-1").x > narrow.at.edge && narrow.at.edge > 34)
  assert.equal(narrow.parts.get("words/share-2").text, "25 %")
  assert.ok(wide.parts.get("cells/cell-3-0")["fill-opacity"] < narrow.parts.get("cells/cell-3-0")["fill-opacity"])
  assert.equal(wide.at.row, narrow.at.row)
  assert.ok(wide.at.row >= 11)
})

test("the next word is decided where it stays, in the stream as it was and in the one that was hurt", () => {
  const rows = (words) => [...words].map((word) => [[[word, 1]]])
  const seen = (dense, hurt, layer) => ({ lens: { dense: rows(dense), hurt: hurt && rows(hurt) }, layer })
  assert.deepEqual(decisions(seen("abcdd", "cef", 2), 0), [3, 4])
  assert.deepEqual(decisions(seen("adddd", "ddd", 2), 0), [1, 1]) // what lies below the damage counts too
  assert.deepEqual(decisions(seen("adddd", "cdd", 2), 0), [1, 3])
  assert.deepEqual(decisions(seen("ddddd", "ddd", 2), 0), [0, 0])
  assert.deepEqual(decisions(seen("adddd", undefined, 2), 0), []) // not known yet
  assert.deepEqual(decisions({ layer: 2 }, 0), [])
  assert.deepEqual(spoken(seen("abcdd", "cef", 2), 0, 3).map(([word]) => word), [..."abced"])
})

test("slots are strong outside of references and bare inside, and an empty one leaves nothing", () => {
  const words = { layer: "7", gain: "0.5×", none: "" }
  const word = (name) => words[name]
  const said = filled("Layer {layer}: [{gain} at {layer}](curve-end layers){none}, {gain}.", word)
  assert.equal(said, "Layer **7**: [0.5× at 7](curve-end layers), **0.5×**.")
  assert.equal(fill("layer {layer}: {said}", { layer: 3, said: "1.2×" }), "layer 3: 1.2×")
})
