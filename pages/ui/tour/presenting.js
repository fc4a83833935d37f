// The arrow keys, and those of a presenter's remote control, press Next and Back; a control that has the focus keeps them.
const WAYS = { ArrowRight: "next", PageDown: "next", ArrowLeft: "back", PageUp: "back" }

window.presenting ??= document.addEventListener("keydown", (event) => {
  const [focused] = event.composedPath()
  const taken = event.altKey || event.ctrlKey || event.metaKey || focused.matches?.("input, select, textarea, [contenteditable]")
  if (event.key === "Escape") focused.blur?.()
  const button = document.querySelector(`.st-key-${WAYS[event.key]} button:not(:disabled)`)
  if (taken || !button || !document.querySelector(".st-key-presenting")) return
  event.preventDefault()
  button.click()
}) ?? true
