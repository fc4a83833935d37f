// Lines of JSON from an address, as they come.

/** The value of every line; null where the connection fails, nothing more once it is aborted.
 * @param {string} address @param {AbortSignal} signal @returns {AsyncGenerator<any>} */
export async function* lines(address, signal) {
  const response = await fetch(address, { signal }).catch(() => null)
  const reader = response?.ok && response.body?.pipeThrough(new TextDecoderStream()).getReader()
  for (let rest = ""; !signal.aborted; ) {
    const read = reader ? await reader.read().catch(() => null) : null
    if (signal.aborted || read?.done) return
    if (!read) return yield null
    const whole = (rest + read.value).split("\n")
    rest = String(whole.pop())
    for (const line of whole) yield JSON.parse(line)
  }
}
