// A picture to take along: both texts side by side, the sentence about them and the line below, as the page shows them.
const [WIDTH, EDGE, GAP, LINE, SIZE] = [1200, 40, 32, 30, 20] // px
const ROOM = WIDTH - 2 * EDGE
const COLUMN = (ROOM - GAP) / 2
const ROOM_LEFT = 16 // of the line

/** @typedef {{text: string, of: number, x: number, line: number}} Piece `of`: the part that it belongs to */

/** A text in lines that break before words, within them only where one is too wide.
 * @param {string[]} parts @param {number} room px of a line @param {(text: string) => number} wide
 * @returns {Piece[]} */
export function laid(parts, room, wide) {
  const cut = (/** @type {string} */ part, /** @type {number} */ of) =>
    (part.match(/\n|[^\S\n]*\S+|[^\S\n]+/g) ?? []).map((text) => ({ text, of }))
  const pieces = parts.flatMap(cut)
  const begins = pieces.map(({ text }) => /^\s/.test(text))
  let [x, line] = [0, 0]
  return pieces.map(({ text, of }, n) => {
    const next = begins.indexOf(true, n + 1)
    const word = pieces.slice(n, next < 0 ? undefined : next).map((each) => each.text).join("")
    const whole = begins[n] && wide(word.trim()) <= room ? word : text
    if (text === "\n" || (x && x + wide(whole) > room)) [x, line] = [0, line + 1]
    const piece = { text: x ? text : text.trimStart(), of, x, line }
    x += wide(piece.text)
    return piece
  })
}

/** An SVG with the styles that the page gives it. @param {SVGElement} svg */
async function image(svg) {
  const copy = /** @type {SVGElement} */ (svg.cloneNode(true))
  const from = svg.querySelectorAll("*")
  copy.querySelectorAll("*").forEach((each, n) => {
    const { fill, font, stroke } = getComputedStyle(from[n])
    Object.assign(/** @type {SVGElement} */ (each).style, { fill, font, stroke })
  })
  const [width, height] = [svg.clientWidth, svg.clientHeight]
  const viewBox = `${-ROOM_LEFT} 0 ${width + ROOM_LEFT} ${height}` // its font may be a wider one
  Object.entries({ width, height, viewBox }).forEach(([name, value]) => copy.setAttribute(name, String(value)))
  const made = new Image(width, height)
  made.src = `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`
  await made.decode()
  return made
}

/** @param {Record<string, HTMLElement>} texts boxes of spans, each below its heading
 * @param {HTMLElement} says @param {SVGElement} svg @returns {Promise<Blob>} PNG */
export async function snapshot(texts, says, svg) {
  const canvas = document.createElement("canvas")
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"))
  const own = getComputedStyle(says)
  const face = (weight = 400) => (pen.font = `${weight} ${SIZE}px ${own.fontFamily}`)
  face()
  const wide = (/** @type {string} */ text) => pen.measureText(text).width
  const columns = Object.values(texts).map((box) => {
    const spans = [...box.children]
    const pieces = laid(spans.map((each) => each.textContent ?? ""), COLUMN, wide)
    return { heading: box.previousElementSibling?.textContent ?? "", spans, pieces }
  })
  const finding = laid([says.textContent ?? ""], ROOM, wide)
  const chart = await image(svg)
  const last = (/** @type {Piece[]} */ pieces) => pieces.at(-1)?.line ?? 0
  const below = EDGE + LINE * (2.5 + Math.max(...columns.map(({ pieces }) => last(pieces))))
  const floor = below + LINE * (last(finding) + 1.5)
  const height = (chart.height / chart.width) * ROOM
  Object.assign(canvas, { width: WIDTH, height: floor + height + EDGE })
  /** @param {string} text @param {number} x @param {number} y @param {CSSStyleDeclaration} look */
  const put = (text, x, y, weight = 400, look = own) => {
    face(weight)
    Object.assign(pen, { textBaseline: "top", fillStyle: look.backgroundColor })
    pen.fillRect(x, y - 4, wide(text), LINE - 4)
    pen.fillStyle = look.color
    pen.fillText(text, x, y)
  }
  pen.fillStyle = own.getPropertyValue("--st-background-color")
  pen.fillRect(0, 0, canvas.width, canvas.height)
  columns.forEach(({ heading, spans, pieces }, n) => {
    const left = EDGE + n * (COLUMN + GAP)
    put(heading, left, EDGE, 700)
    for (const { text, of, x, line } of pieces)
      put(text, left + x, EDGE + LINE * (line + 1), 400, getComputedStyle(spans[of]))
  })
  for (const { text, x, line } of finding) put(text, EDGE + x, below + LINE * line)
  pen.drawImage(chart, EDGE, floor, ROOM, height)
  return new Promise((done) => canvas.toBlob((blob) => done(/** @type {Blob} */ (blob))))
}
