"""Live pictures: parts of a page that answer in the browser, and tell Python what the reader chose once it is let go.

A picture is a JavaScript module of this folder; browsers load it, and what it imports, as they are.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import streamlit as st

from core.show.figures import Palette

HERE = Path(__file__).parent
MODULES = {file.name: file.read_bytes() for file in sorted(HERE.glob("*.js"))}
VERSION = hashlib.sha256(b"".join(MODULES.values())).hexdigest()[:12]  # browsers keep modules for good
ADDRESS = re.compile(rf"(?:/.+)?/live/{VERSION}/([\w-]+\.js)")
STYLE = (HERE / "live.css").read_text("utf-8")


def component(name: str) -> Callable:
    """A live picture, drawn by the module of that name."""
    base = st.get_option("server.baseUrlPath").strip("/")
    module = f"location.origin + '{base and '/'}{base}/live/{VERSION}/{name}.js'"
    script = f"export default async (mount) =>\n(await import({module})).default(mount)"
    html = f'<div class="live {name}"></div>'
    return st.components.v2.component(f"absorption_explorer.{name}", html=html, css=STYLE, js=script)


def draw(
    picture: Callable,
    key: str,
    data: Mapping[str, object],
    state: Mapping[str, int],
    choices: Mapping[str, range],
    look: Palette,
    moved: Callable[[dict[str, int]], None],
    drawn: Callable[[], None] | None = None,
    answered: Callable[[object], None] = lambda _: None,
) -> None:
    """Draw a picture.

    Args:
        state: what is chosen, a number for every name.
        choices: what may be chosen; anything else that a browser sends is passed over.
        look: its colours, which styles know by their names.
        moved: called with what the reader chose, once it is let go.
        drawn: called once when the picture stands in the browser.
        answered: called with the answer to a question of the picture.
    """

    def told(event: str) -> object:
        return getattr(st.session_state.get(key), event, None)  # None where the reader has left for another page

    def keep() -> None:
        chosen = told("moved")
        known = isinstance(chosen, dict) and chosen.keys() == choices.keys()
        if known and all(type(at) is int and at in choices[name] for name, at in chosen.items()):
            moved(chosen)

    picture(
        key=key,
        data={**data, "state": dict(state), "colours": colours(look), "waiting": drawn is not None},
        on_moved_change=keep,
        on_drawn_change=drawn or (lambda: None),
        on_answered_change=lambda: answered(told("answered")),
    )


def colours(look: Palette) -> dict[str, object]:
    """Colours by meaning; that of absorbing to amplifying also as the stops of a gradient in CSS."""
    scale = ", ".join(f"{colour} {place:.0%}" for place, colour in look.diverging)
    return {**vars(look), "scale": scale}


THEME = component("theme")


def watch_theme() -> None:
    """Run the page again where the reader, or the machine in the evening, turns it dark or light; it shows nothing.

    What is drawn has its colours from Python.
    """
    with st.container(key="theme"):
        THEME(key="theme-watch", on_turned_change=lambda: None)
