import assert from "node:assert/strict"
import { test } from "node:test"
import {
  clamp, decided, digits, fitted, mix, path, reach, rowOf, share, significant, stride,
} from "../../pages/ui/live/numbers.js"

test("a value has its place on a linear and on a log axis", () => {
  assert.equal(share({ low: 2, high: 6 }, 3), 0.25)
  assert.ok(Math.abs(share({ low: 0.1, high: 10, log: true }, 1) - 0.5) < 1e-12)
  assert.equal(share({ low: 0, high: 1 }, 1.5), 1.5) // nothing is clamped
})

test("every setting of the controls has a row of its own, the last control running fastest", () => {
  const rows = [0, 1, 2].flatMap((a) => [0, 1].map((b) => rowOf([3, 2], [a, b])))
  assert.deepEqual(rows, [0, 1, 2, 3, 4, 5])
  assert.equal(rowOf([], []), 0)
})

test("a phone has room for the numbers of layers, in round steps", () => {
  assert.deepEqual([1, 8, 12, 30, 80, 126].map(stride), [1, 1, 2, 5, 10, 20])
  assert.equal(stride(4000), 4000)
})

test("a path is interrupted where there is no point", () => {
  assert.equal(path([null, [0, 1], [2, 3], null, [4, 5]]), "M0.0 1.0L2.0 3.0M4.0 5.0")
  assert.equal(path([]), "")
})

test("a number has two digits, three around 1", () => {
  const said = [0, 0.00123, 0.0123, 0.123, 1.234, 12.34, 123.4].map(digits)
  assert.deepEqual(said, ["0", "0.0012", "0.012", "0.12", "1.23", "12", "123"])
})

test("a perplexity has three digits, and what does no more than guess is not spelt out", () => {
  const said = [30.83, 1234, 99_900, 1e25].map(significant)
  assert.deepEqual(said, ["30.8", "1,230", "99,900", "above 100,000"])
})

test("ratios lie between a third and three times, unlike ones at the ends", () => {
  assert.deepEqual([0.01, 1 / 3, 3, 50].map(reach), [0, 0, 1, 1])
  assert.ok(Math.abs(reach(1) - 0.5) < 1e-12)
  assert.ok(Math.abs(reach(2) + reach(0.5) - 1) < 1e-12)
})

test("colours are those of the stops, and between them what lies between", () => {
  const stops = [[0, "#000000"], [0.5, "#640000"], [1, "#64C800"]]
  assert.deepEqual([0, 0.25, 0.5, 0.75, 1].map((at) => mix(stops, at)), [
    "color-mix(in srgb, #640000 0%, #000000)", "color-mix(in srgb, #640000 50%, #000000)",
    "color-mix(in srgb, #64C800 0%, #640000)", "color-mix(in srgb, #64C800 50%, #640000)",
    "color-mix(in srgb, #64C800 100%, #640000)",
  ])
})

test("what is clamped lies inside", () => {
  assert.deepEqual([-1, 0.5, 2].map((value) => clamp(value, 0, 1)), [0, 0.5, 1])
})

test("a word without room is cut at its end, and never in the middle of a letter", () => {
  const wide = (text) => text.length
  assert.deepEqual(["river", "rivers", "🐟🐟🐟"].map((word) => fitted(word, 5, wide)), ["river", "rive…", "🐟🐟…"])
  assert.equal(fitted("river", 0, wide), "r…")
  assert.equal(fitted("", 0, wide), "")
})

test("a column without words decides nothing, one of one word at once", () => {
  assert.equal(decided([]), 0)
  assert.equal(decided([["a", 0.1], ["a", 0.9]]), 0)
})
