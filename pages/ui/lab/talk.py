"""Break it while it talks: the prompt, the damage over time and the seed, held in the URL, and the picture's words."""

import json
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from itertools import product
from random import randrange

import streamlit as st

from core.base import UserError, brief, checked, escape_markdown
from core.requests import Talk, Turn, layers_of, perturbation
from core.show.figures.axes import Axis
from pages.ui import choices, form, layout, live, server, url_state
from pages.ui.lab.question import KINDS, LAYERS

COMPONENT = live.component("talk")
HEADS = 9  # of the bundled model
PARTS = {"": "whole layer", "attention": "attention", "mlp": "MLP"} | {f"head:{n}": f"head {n}" for n in range(HEADS)}
PROMPTS = {
    "Days of the week": "The days of the week are Monday, Tuesday,",
    "A story": "The old clockmaker opened the door of her shop and",
    "A recipe": "To make a good cup of tea, first",
}
DEFAULT_PROMPT = next(iter(PROMPTS.values()))
OPENING = "16~16~gaussian:1"  # after two seconds
MAX_TOKENS, OPENING_TOKENS = 96, 48  # tokens; those of the opening
SEEDS = range(1000)  # 0: the likeliest word at every step
DAMAGE_WORDS = ("noise {}", "{} pruned", "left out")  # of `KINDS`
WORDS = {
    "dense": "Undamaged model",
    "hurt": "Damaged model",
    "idle": "Press Play: both models write on from your words.",
    "same": "Both texts are the same so far. The damaged model gives the last word {p}.",
    "differs": "The texts differ from token {first} on (◆). At token {n} the undamaged model would write “{twin}”; the "
    "damaged model gives it {p}.",
    "token": "Token {n}, “{hurt}”: the undamaged model would write “{twin}”; the damaged model gives it {p}.",
    "waits": "Readers ahead of you: {waits}, about {seconds} s.",
    "loading": "The model is loading, a few seconds. Then it writes.",
    "lost": "The connection ended. Press Play to go on.",
    "damage": "damage",
    "play": "Play",
    "pause": "Pause",
    "heal": "Heal",
    "again": "Damage",
    "step": "Step",
    "restart": "Restart",
    "share": "Share",
    "shared": "The link is copied and the picture saved.",
    "saved": "The picture is saved. The link is in the address bar.",
    "file": "broken-while-it-talks",
    "kind": "What is done",
    "layer": "layer",
    "map": "What is damaged. Left and right move the layer, up and down the part.",
    "tokens": "Token of the damaged model’s text",
    "from": "From here",
}
TICKS = [(0, "0 %"), (0.5, "50 %"), (1, "100 %")]
LINE = Axis("Probability of the undamaged model’s word in the damaged model", 0, 1, TICKS)


@cache
def damages() -> dict[str, dict[str, object]]:
    """Every damage of the controls, as it is written -> as they hold it, and in words."""
    by_word = {}
    for (kind, row), (part, (name, about)) in product(enumerate(KINDS), enumerate(PARTS.items())):
        for size, (stem, amount) in enumerate(row.stops.items()):
            word = f"{stem}:{name}" if name else stem
            label = f"{{layer}}{f', {about}' if name else ''}: {DAMAGE_WORDS[kind].format(amount)}"
            strength = (size + 1) / len(row.stops)
            with suppress(UserError):  # heads are not pruned
                perturbation(word)
                by_word[word] = {"kind": kind, "size": size, "part": part, "said": label, "strength": strength}
    return by_word


def parsed(text: str) -> tuple[Turn, ...]:
    """Turns as a link holds them, `6~16~gaussian:0.3:mlp,24~0~`.

    Raises:
        UserError: what is none, or a layer or damage that the page does not offer.
    """
    try:
        parts = [turn.split("~") for turn in text.split(",") if turn]
        turns = [(int(start), int(layer), word) for start, layer, word in parts]
    except ValueError:
        raise UserError(f"{brief(text)} does not say what is damaged when: write TOKEN~LAYER~DAMAGE") from None
    checked_turns = checked(Talk, prompt=DEFAULT_PROMPT, turns=turns).turns
    for turn in checked_turns:
        layers_of(turn, LAYERS)
        if turn.word and turn.word not in damages():
            raise UserError(f"{brief(turn.word)} is no damage of this page: choose one in its controls")
    return checked_turns


def read(text: str) -> str:
    """The same turns as text, each spelt in one way; raises as `parsed` does."""
    return ",".join(f"{start}~{layer}~{word}" for start, layer, word in parsed(text))


class Turns:
    """All turns that can be read."""

    def __contains__(self, text: object) -> bool:
        try:
            return isinstance(text, str) and read(text) == text
        except UserError:
            return False


def show(drawn: Callable[[], None] | None) -> None:
    """Draw the prompt, the picture that writes, and the choice of its next words.

    Args:
        drawn: called once when the picture stands in the browser.
    """
    with layout.row(gap="small"):
        prompt = form.words("Words to write on from", "write", DEFAULT_PROMPT, label_visibility="collapsed", width=440)
        for name, words in PROMPTS.items():
            _set(name, write=words)
    seed = choices.sync("seed", SEEDS, 0)
    try:
        turns = read(choices.text("turns", OPENING))
    except UserError as error:
        url_state.refuse(f"The link asks for turns that cannot be: {escape_markdown(error)}.")
        turns = OPENING
    linked = (prompt, seed, turns) != (DEFAULT_PROMPT, 0, OPENING)
    data = {"fixed": _fixed(), "prompt": prompt, "seed": seed or None, "linked": linked}
    url_state.write()
    live.draw(COMPONENT, "talk", data, {"turns": (turns, Turns())}, st.session_state.update, drawn)
    with layout.row(gap="small"):
        drawn_words = {0: "Likeliest word", seed or 1: f"Sampled, seed {seed or 1}"}
        form.segments("Next word", drawn_words, "seed", label_visibility="collapsed")
        _set(":material/casino:", seed=randrange(1, SEEDS.stop), help="Sample with another seed")


def _set(label: str, help: str | None = None, **choice: object) -> None:
    """A button that makes a choice."""
    st.button(label, on_click=st.session_state.update, args=[choice], help=help)


@cache
def _fixed() -> str:
    return json.dumps({
        "address": server.address(f"talk/{server.VERSION}"),
        "damages": damages(),
        "kinds": [live.plain(row) | {"stops": list(row.stops.values())} for row in KINDS],
        "opening": OPENING,
        "layers": [*map(str, range(LAYERS)), "all"],
        "named": [*(f"layer {layer}" for layer in range(LAYERS)), "all layers"],
        "parts": list(PARTS.values()),
        "line": live.plain(LINE),
        "most": MAX_TOKENS,
        "short": OPENING_TOKENS,
        "words": WORDS,
    })  # fmt: skip
