import js from "@eslint/js"

// A capital letter or a small word among letters: a sentence, or a name that is not one of a key.
const ENGLISH = "/^(?!Home$|End$|Escape$)[A-Z][a-z]+( |$)|[a-z] (a|an|and|at|by|for|in|is|of|on|the|to|with)( |$)/"
const ALLOWED = [
  "AbortController", "HTMLElement", "Image", "IntersectionObserver", "PointerEvent", "ResizeObserver",
  "TextDecoderStream", "URL", "XMLSerializer",
  "cancelAnimationFrame", "clearTimeout", "document", "fetch", "getComputedStyle", "location", "matchMedia",
  "navigator", "performance", "requestAnimationFrame", "setTimeout", "window",
]
const said = (kind) => ({ selector: `${kind}=${ENGLISH}]`, message: "Every word comes from Python." })

export default [
  js.configs.recommended,
  {
    languageOptions: { globals: Object.fromEntries(ALLOWED.map((name) => [name, "readonly"])) },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      complexity: ["error", 14],
      eqeqeq: "error",
      "max-len": ["error", { code: 120 }],
      "no-param-reassign": "error",
      "no-shadow": "error",
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
    },
  },
  {
    files: ["pages/**/*.js"],
    rules: { "no-restricted-syntax": ["error", said("Literal[value"), said("TemplateElement[value.raw")] },
  },
]
