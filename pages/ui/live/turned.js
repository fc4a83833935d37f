export default function ({ parentElement, setTriggerValue }) {
  parentElement.querySelector(".turned").ontransitionend = () => setTriggerValue("turned", true)
}
