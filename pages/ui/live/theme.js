// Tells Python that the page turned dark or light.
/** @param {import("./runtime.js").Mount} mount */
export default function ({ parentElement, setTriggerValue }) {
  const root = /** @type {HTMLElement} */ (parentElement.querySelector(".live"))
  root.ontransitionend = () => setTriggerValue("turned", true)
}
