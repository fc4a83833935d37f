import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { pinned, predicted } from "../../pages/ui/live/hand.js"

// Python's numbers; tests/pages/test_hand_numbers.py holds them to what Python computes.
const { budgets, predictions } = JSON.parse(readFileSync(`${import.meta.dirname}/hand.json`, "utf-8"))
const near = (one, other, share) => assert.ok(Math.abs(one - other) <= share * Math.abs(other), `${one}, ${other}`)

test("layers set by hand leave the others what Python leaves them, linears too, or nothing where it refuses", () => {
  assert.ok(budgets.some(({ wanted }) => wanted === null) && budgets.some(({ wanted }) => wanted))
  for (const { base, means, hand, weights, target, bounds, wanted } of budgets) {
    const found = pinned(base, means, hand, weights, target, bounds)
    if (wanted === null) assert.equal(found, null)
    else wanted.flat().forEach((value, n) => assert.ok(Math.abs(found.flat()[n] - value) < 1e-9))
  }
})

test("what an allocation is predicted to cost is what Python predicts, with its interval", () => {
  assert.ok(predictions.some(({ costs }) => costs.includes(null)))
  for (const { curves, rows, costs } of predictions)
    rows.forEach((row, n) => {
      const found = predicted(row, curves)
      if (costs[n] === null) assert.equal(found, null)
      else costs[n].forEach((cost, at) => near(found[at], cost, 1e-9))
    })
  const [{ curves, rows }] = predictions
  const unknown = { ...curves, harm: curves.harm.map((row) => row.map((each, n) => (n > 1 ? null : each))) }
  assert.equal(predicted(rows[0], unknown), null) // a layer that would do more than was measured
})
