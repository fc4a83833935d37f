import assert from "node:assert/strict"
import { test } from "node:test"
/* global ReadableStream, Response */
import { lines } from "../../pages/ui/live/stream.js"
import { laid } from "../../pages/ui/live/picture.js"
import { changed, difference, read, sentences, spans, written } from "../../pages/ui/live/turns.js"

const NOISE = [6, 16, "gaussian:0.3:mlp"]
const HEALED = [24, 0, ""]

test("turns read back from their link", () => {
  for (const turns of [[], [NOISE], [[0, 3, "skip"], NOISE, HEALED]]) assert.deepEqual(read(written(turns)), turns)
  assert.equal(written([NOISE, HEALED]), "6~16~gaussian:0.3:mlp,24~0~")
})

test("a change drops what came later, replaces what began there, and keeps what is before", () => {
  const turns = [[0, 3, "skip"], NOISE, HEALED]
  assert.deepEqual(changed(turns, [12, 5, "skip"]), [[0, 3, "skip"], NOISE, [12, 5, "skip"]])
  assert.deepEqual(changed(turns, [6, 5, "skip"]), [[0, 3, "skip"], [6, 5, "skip"]])
  assert.deepEqual(changed(turns, [0, 5, "skip"]), [[0, 5, "skip"]])
  assert.equal(turns.length, 3)
})

test("what changes nothing is no turn: the same text has one link", () => {
  assert.deepEqual(changed([NOISE], [12, 16, "gaussian:0.3:mlp"]), [NOISE])
  assert.deepEqual(changed([NOISE], [12, 17, "gaussian:0.3:mlp"]), [NOISE, [12, 17, "gaussian:0.3:mlp"]])
  assert.deepEqual(changed([], [0, 16, ""]), [])
  assert.deepEqual(changed([NOISE], [12, 16, ""]), [NOISE, [12, 0, ""]])
  assert.deepEqual(changed([NOISE, HEALED], [30, 9, ""]), [NOISE, HEALED])
})

test("the first difference is that of words, also where one text has ended", () => {
  const steps = (pairs) => pairs.map(([dense, hurt]) => ({ dense, hurt }))
  assert.equal(difference([]), -1)
  assert.equal(difference(steps([["a", "a"], ["b", "b"]])), -1)
  assert.equal(difference(steps([["a", "a"], ["b", "c"], ["d", "d"]])), 1)
  assert.equal(difference(steps([["a", "a"], ["b", null]])), 1)
})

test("damage is drawn as far as the text is written, and none where it was healed", () => {
  assert.deepEqual(spans([NOISE, HEALED], 40), [[NOISE, 24]])
  assert.deepEqual(spans([NOISE, HEALED], 10), [[NOISE, 10]])
  assert.deepEqual(spans([NOISE], 6), [])
})

test("who listens hears whole sentences, and the rest of a text that is over", () => {
  assert.deepEqual(sentences("One, two. Then “three!” And", false), ["One, two.", "Then “three!”"])
  assert.deepEqual(sentences("One, two. And", true), ["One, two.", "And"])
  assert.deepEqual(sentences("Eins\nzwei", false), ["Eins"])
  assert.deepEqual(sentences("一。二", false), ["一。"])
  assert.deepEqual(sentences("", true), [])
})

test("a text to take along breaks before words, and within those that are too wide", () => {
  const broken = (parts) => laid(parts, 10, (text) => text.length).reduce((all, { text, line }) => {
    all[line] = (all[line] ?? "") + text
    return all
  }, [])
  assert.deepEqual(broken(["The", " clock", "maker", " opened"]), ["The", "clockmaker", "opened"])
  assert.deepEqual(broken(["a", "\n", "b"]), ["a", "b"])
  assert.deepEqual(broken(["一二三四五六", "七八九十一二"]), ["一二三四五六", "七八九十一二"])
})

/** All that comes from an address which answers so. */
async function come(body, { ok = true, signal = new AbortController().signal } = {}) {
  globalThis.fetch = async () => ({ ok, body })
  const found = []
  for await (const line of lines("/", signal)) found.push(line)
  return found
}

test("lines come whole, however the network cuts them", async () => {
  const text = '{"at": 0, "dense": " é"}\n{"at": 1}\n'
  const bytes = await new Response(text).bytes()
  for (let cut = 1; cut < bytes.length; cut++) {
    const body = ReadableStream.from([bytes.slice(0, cut), bytes.slice(cut)])
    assert.deepEqual(await come(body), [{ at: 0, dense: " é" }, { at: 1 }])
  }
})

test("a connection that fails says so once, and one that was let go says nothing", async () => {
  assert.deepEqual(await come(null, { ok: false }), [null])
  const broken = new ReadableStream({ pull(pipe) { pipe.error(new TypeError("network")) } })
  assert.deepEqual(await come(broken), [null])
  const left = new AbortController()
  left.abort()
  assert.deepEqual(await come(new Response('{"at": 0}\n').body, { signal: left.signal }), [])
})
