"""Live pictures: parts of a page that answer in the browser, and tell Python what the reader chose once it is let go.

A picture is a JavaScript module of this folder; browsers load it, and what it imports, as they are. It exports
`mounted(...)` of a class over `runtime.js` that builds its elements and draws what `data` and `state` say, as
`figure.js` does. On this side it is a `component` and a call of `draw`, as in `figure.py`.
"""

import math
from collections.abc import Callable, Container, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import streamlit as st

from core.show.figures.palette import FONT, SIZE
from pages.ui import url_state
from pages.ui.server import VERSION, address

STYLE = (Path(__file__).parent / "live.css").read_text("utf-8")


def component(name: str) -> Callable:
    """A live picture, drawn by the module of that name."""
    path = address(f"live/{VERSION}/{name}.js")
    script = f"export default async (mount) =>\n(await import(location.origin + '{path}')).default(mount)"
    html = f'<div class="live {name}"></div>'
    return st.components.v2.component(f"absorption_explorer.{name}", html=html, css=STYLE, js=script)


def draw(
    picture: Callable,
    key: str,
    data: Mapping[str, object],
    choices: Mapping[str, tuple[int | str, Container]],
    moved: Callable[[dict[str, Any]], None],
    drawn: Callable[[], None] | None = None,
) -> None:
    """Draw a picture.

    Args:
        choices: a number or text for every name, and what else it may be; what else a browser sends is passed over.
        moved: called with what the reader chose, once it is let go.
        drawn: called once when the picture stands in the browser.
    """

    def keep():
        chosen = getattr(st.session_state.get(key), "moved", None)  # None where the reader has left for another page
        is_complete = isinstance(chosen, dict) and chosen.keys() == choices.keys()
        if is_complete and all(type(at) in (int, str) and at in choices[name][1] for name, at in chosen.items()):
            moved(chosen)

    look = url_state.look()  # its colours, which styles know by their names
    scale = ", ".join(f"{colour} {place:.0%}" for place, colour in look.diverging)  # as the stops of a gradient
    colours = {**vars(look), "scale": scale, "font": FONT, "size": f"{SIZE}px"}
    state = {name: at for name, (at, _) in choices.items()}
    waits = url_state.current().waits
    if drawn:
        waits.setdefault(key, uuid4().hex)  # the same from now on, so reported once; a new session reports again
    picture(
        key=key,
        data={**data, "state": state, "colours": colours, "waiting": waits.get(key, "")},
        on_moved_change=keep,
        on_drawn_change=drawn or (lambda: None),
    )


def plain(value: object, digits: int = 6) -> object:
    """JSON values for the browser: numbers with as many digits as are seen, None if not finite; no functions."""
    if hasattr(value, "tolist"):  # an array
        return plain(value.tolist(), digits)
    if is_dataclass(value):
        value = {each.name: getattr(value, each.name) for each in fields(value)}
    if isinstance(value, dict):
        return {name: plain(each, digits) for name, each in value.items() if not callable(each)}
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") if math.isfinite(value) else None
    return [plain(each, digits) for each in value] if isinstance(value, list | tuple | range) else value


THEME = component("theme")


def watch_theme() -> None:
    """Run the page again where the reader, or the machine in the evening, turns it dark or light; it shows nothing.

    What is drawn has its colours from Python.
    """
    with st.container(key="theme"):
        THEME(key="theme-watch", on_turned_change=lambda: None)
