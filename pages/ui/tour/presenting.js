// The arrow keys, and those of a presenter's remote control, press Next and Back; a focused control keeps them.
document.onkeydown = (event) => {
  const way = { ArrowRight: "next", PageDown: "next", ArrowLeft: "back", PageUp: "back" }[event.key]
  const focused = /** @type {HTMLElement} */ (event.composedPath()[0])
  const editing = focused.matches?.("input, select, textarea, [contenteditable]")
  if (event.key === "Escape") focused.blur?.()
  /** @type {HTMLElement | null} */ const button = document.querySelector(`.st-key-${way} button:not(:disabled)`)
  if (!button || editing || event.altKey || event.ctrlKey || event.metaKey) return
  if (!document.querySelector(".st-key-presenting")) return
  event.preventDefault()
  button.click()
}
