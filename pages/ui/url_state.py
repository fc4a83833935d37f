"""The view: each choice on a page, held equal to the URL so that a link restores it.

Streamlit's own `bind="query-params"` writes an option as its label, which may change; here a link names its key.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

import streamlit as st

from core.base import UserError, escape_markdown
from core.show import figures

Value = TypeVar("Value")
# Runs of a page after which its widgets hold their values by themselves. In the first a widget's value is still that of
# the page before; a second follows at once where the browser finds its theme dark, and shows what that run alone sets.
SETTLED = 3


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


def _view() -> View:
    return st.session_state["view"]


def enter(page: str) -> None:
    """Begin a run of a page.

    A URL other than the last one is a link or the back button, unless a choice came with it: then the browser had not
    heard of the new URL yet. A link decides what it names, and on the page in view everything else too.
    """
    state, address = st.session_state, st.query_params.to_dict()
    earlier = (_view().remembered, _view().unasked) if "view" in state else ({}, {})
    if state.get("page") != page:
        state["page"], state["view"] = page, View(address, dict(address), *earlier)
    view = _view()
    chosen = any(key in state and state[key] != value for key, value in view.held_values.items())
    linked = address != view.written_url and not chosen
    if linked:
        view.written_url, view.link, view.linked = address, dict.fromkeys(view.remembered) | address, True
    if chosen or linked:
        view.refused = []
    for message in view.refused:
        st.warning(message)
    view.runs += 1
    view.texts = {}


def refuse(message: str) -> None:
    """Warn of what a link asks for and does not get, until something else is chosen."""
    if message not in _view().refused:
        _view().refused.append(message)
        st.warning(message)


def sync(
    key: str,
    options: Sequence[Value],
    default: Value,
    aliases: Mapping[str, Value] | None = None,
    drawn: bool = True,
    named: bool = False,
) -> Value:
    """The value of widget `key`, set before the widget is drawn and written to the URL unless it is the default.

    Args:
        aliases: what else a link may call an option.
        drawn: the widget follows in this run. What is set for one that does not would outlast what it shows later.
        named: the URL says it also where it is the default, which elsewhere or later is another one.
    """
    by_text = {str(option): option for option in options} | dict(aliases or {})

    def accept(linked):
        option = by_text.get(linked, linked) if isinstance(linked, str) else linked
        with suppress(TypeError, ValueError):  # 0.10 is 0.1
            option = option if option in options else float(option)
        return next((each for each in options if each == option), None)  # 0.0 equals False, and is no tick of a box

    return _value_of(key, default, accept, drawn=drawn, named=named)


def text(key: str, default: str) -> str:
    """Any text, as typed; what is wrong with it is said where it is read."""
    return _value_of(key, default, str)


def whole_number(key: str, default: int, allowed: range) -> int:
    """A whole number of a range."""

    def accept(typed):
        number = int(typed) if str(typed).isdecimal() and len(str(typed)) <= len(str(allowed.stop)) else -1
        return number if number in allowed else None

    return _value_of(key, default, accept)


def several(key: str, default: list[str], options: Collection[str] | None = None, drawn: bool = True) -> list[str]:
    """Several texts, one in the URL with commas between them.

    Args:
        options: what they may be; None: anything.
    """

    def accept(typed):
        names = typed if isinstance(typed, list) else list(filter(None, str(typed).split(",")))
        return names if options is None or set(names) <= set(options) else None

    return _value_of(key, default, accept, ",".join, drawn)


def _value_of(
    key: str,
    default: Value,
    accept: Callable[[object], Value | None],
    spell: Callable[[Value], str] = str,
    drawn: bool = True,
    named: bool = False,
) -> Value:
    """The value of a choice: of a link, else of the widget, else the last one chosen, else the default.

    The words of a link stay in the URL for as long as they are true: rewritten, it would be in the history twice.
    """
    state, view = st.session_state, _view()
    linked = view.link.get(key)
    value = None if linked is None else accept(linked)
    if linked is not None and value is None:
        refuse(f"The link asks for {escape_markdown(f'{key} {linked!r}, which is none of the choices here')}.")
    if value is None and (linked is not None or key not in view.link):
        last = state[key] if key in state else view.remembered.get(key)
        unmade = key in view.unasked and view.unasked[key] == last
        value = None if last is None or unmade else accept(last)
    if value is None:
        view.unasked[key] = default
    elif value != default or linked is not None:
        view.unasked.pop(key, None)
    value = default if value is None else value
    if drawn and (state.get(key) != value or (value is not None and view.runs < SETTLED)):  # None set is "choose one"
        state[key] = value
    linked_text = view.written_url.get(key)
    if linked_text is not None and value is not None and accept(linked_text) == value:
        view.texts[key] = linked_text
    else:
        view.texts[key] = None if value == default and not named else spell(value)
    view.remembered[key] = value
    return value


# --- several choices that are one word in the URL ------------------------------------------------------------------


def unfold(word: str, parts: Collection[str], read: Callable[[str], Mapping[str, object]]) -> None:
    """Let a link decide several choices by one word; those that the word does not tell are as usual.

    Args:
        parts: keys of the choices.
    """
    link = _view().link
    if word in link:
        try:
            choices = read(str(link[word])) if link[word] is not None else {}
        except UserError as error:
            choices = {}
            refuse(f"The link asks for {word} {escape_markdown(repr(link[word]))}: {escape_markdown(error)}.")
        link |= dict.fromkeys(parts) | choices | {key: link[key] for key in parts if link.get(key) is not None}


def fold(word: str, parts: Collection[str], written: str) -> None:
    """Write several choices as one word of the URL, where any is not the default."""
    view = _view()
    usual = all(view.texts.get(key) is None for key in parts) and view.written_url.get(word) != written
    view.texts |= dict.fromkeys(parts) | {word: None if usual else written}


# --- the URL -------------------------------------------------------------------------------------------------------


def url() -> dict[str, str]:
    """The view as the URL says it once this run has ended."""
    texts = (
        _view().written_url | _view().texts | {"job": st.query_params.get("job")}
    )  # which buttons set, and no choice is
    return {key: text for key, text in texts.items() if text is not None}


def here(page: str) -> dict[str, str]:
    """The part of the URL that a link to a page repeats: all of it where the page is the one in view.

    A bare URL on the same page would mean that the reader went back to where nothing was chosen.
    """
    if page.removesuffix(".py") != st.session_state.get("page"):
        return {}
    return {name: value for name, value in url().items() if name != "job"}


def last(key: str, default: Value) -> Value:
    """The last value of a choice that may be another page's."""
    return _view().remembered.get(key) or default


def take(choices: Mapping[str, str]) -> None:
    """Bring a view into sight here and on all pages that have a choice for any of it. A button's callback."""
    _view().remembered |= choices
    st.query_params.from_dict(choices)


def write() -> None:
    """Bring the URL up to what the widgets hold so far: in one step, for each is an entry in the browser's history.

    Call it before anything that takes long or that answers by itself: a run that begins before the browser has heard of
    the new URL brings the old one, and with it the old values.
    """
    state, view = st.session_state, _view()
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


def switch(label: str, options: Mapping[str, str], key: str, **more: Any) -> None:
    """One of a few, all in sight; options are value -> words. Its value is what `sync` returned."""
    named = {value: escape_markdown(words) for value, words in options.items()}
    st.segmented_control(label, list(options), key=key, format_func=named.get, required=True, **more)


def look() -> figures.Palette:
    """Chart colours for the theme the browser shows."""
    return figures.DARK if st.context.theme.type == "dark" else figures.LIGHT
