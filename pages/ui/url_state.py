"""The view of a tab, and the URL that says it: read as a run of a page begins, written as it ends."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import NoReturn, TypeVar

import streamlit as st

from core.show import figures

Value = TypeVar("Value")


@dataclass
class View:
    """The view of a tab, from one run of its page to the next."""

    written_url: dict[str, str]  # the URL, as last written
    link: dict[str, object]  # what a link or the back button still decides; None: the default
    remembered: dict[str, object]  # the last value of each choice, on all pages
    unasked: dict[str, object] = field(default_factory=dict)  # choices at their default: they follow page and profile
    held_values: dict[str, object] = field(default_factory=dict)  # values of the widgets when the URL was last written
    texts: dict[str, str | None] = field(default_factory=dict)  # changes of the URL by this run; None: left out
    refused: list[str] = field(default_factory=list)  # warnings about a link, shown until something is chosen
    runs: int = 0  # of the page
    waits: dict[str, str] = field(default_factory=dict)  # token of each picture that reports when it is drawn
    linked: bool = False  # a link to the page in view, which does not reach the address bar by itself


def current() -> View:
    """The view of this tab."""
    return st.session_state["view"]


def enter(page: str) -> None:
    """Begin a run of a page.

    A URL other than the last one is a link or the back button, unless a choice came with it: then the browser had not
    heard of the new URL yet. A link decides what it names, and on the page in view everything else too.
    """
    state, address = st.session_state, st.query_params.to_dict()
    earlier = (current().remembered, current().unasked) if "view" in state else ({}, {})
    if state.get("page") != page:
        state["page"], state["view"] = page, View(address, dict(address), *earlier)
    view = current()
    chosen = any(key in state and state[key] != value for key, value in view.held_values.items())
    linked = address != view.written_url and not chosen
    if linked:
        view.written_url, view.link, view.linked = address, dict.fromkeys(view.remembered) | address, True
    if chosen or linked:
        view.refused = []
    for message in view.refused:
        st.warning(message)
    view.runs += 1
    state["explained"] = set()  # terms, on the page so far
    view.texts = {}


def refuse(message: str) -> None:
    """Warn of what a link asks for and does not get, until something else is chosen."""
    if message not in current().refused:
        current().refused.append(message)
        st.warning(message)


def url() -> dict[str, str]:
    """The view as the URL says it once this run has ended."""
    buttons = {"job": st.query_params.get("job")}  # set by buttons, and no choice
    texts = current().written_url | current().texts | buttons
    return {key: text for key, text in texts.items() if text is not None}


def here(page: str) -> dict[str, str]:
    """The part of the URL that a link to a page repeats: all of it where the page is the one in view.

    A bare URL on the same page would mean that the reader went back to where nothing was chosen.
    """
    if page != st.session_state.get("page"):
        return {}
    return {name: value for name, value in url().items() if name != "job"}


def last(key: str, default: Value) -> Value:
    """The last value of a choice that may be another page's."""
    return current().remembered.get(key) or default


def take(choices: Mapping[str, str]) -> None:
    """Bring a view into sight here and on all pages that have a choice for any of it. A button's callback."""
    current().remembered |= choices
    st.query_params.from_dict(choices)


def write() -> None:
    """Bring the URL up to what the widgets hold so far: in one step, for each is an entry in the browser's history.

    Call it before anything that takes long or that answers by itself: a run that begins before the browser has heard of
    the new URL brings the old one, and with it the old values.
    """
    state, view = st.session_state, current()
    view.written_url = url()
    if view.linked or view.written_url != st.query_params.to_dict():
        st.query_params.from_dict(view.written_url)
    view.link = {key: value for key, value in view.link.items() if key not in view.texts}
    view.held_values = {key: state[key] for key in view.remembered if key in state}
    view.linked = False


class Ended(Exception):
    """A page is drawn as far as it goes."""


def end() -> NoReturn:
    """End the page here as if this were its last line. `st.stop` would leave the URL as it was, and more.

    The browser forgets every widget that a run did not draw. After `st.stop` Streamlit's own side still knows it, takes
    it for shown when it comes back, and does not tell its value: the browser then shows it empty and answers so.
    """
    raise Ended


@contextmanager
def written() -> Iterator[None]:
    """Write the URL at the end of a page. One that another run cuts short leaves it as that run was told it."""
    with suppress(Ended):
        yield
    write()


def look() -> figures.Palette:
    """Chart colours for the theme the browser shows."""
    return figures.DARK if st.context.theme.type == "dark" else figures.LIGHT
