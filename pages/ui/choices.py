"""Choices on a page, each held equal to the URL so that a link restores it.

Streamlit's own `bind="query-params"` writes an option as its label, which may change; here a link names its key.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

import streamlit as st

from core.base import UserError, brief, escape_markdown
from pages.ui import url_state

Value = TypeVar("Value")
# Runs of a page after which its widgets hold their values by themselves. In the first a widget's value is still that of
# the page before; a second follows at once where the browser finds its theme dark, and shows what that run alone sets.
SETTLED = 3


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
    names, number = (options, float) if not isinstance(options, range) else ((), int)  # a range is not looked through
    by_text = {str(option): option for option in names} | dict(aliases or {})

    def accept(linked):
        option = by_text.get(linked, linked) if isinstance(linked, str) else linked
        with suppress(TypeError, ValueError):  # 0.10 is 0.1
            option = option if option in names else number(option)
            return options[options.index(option)]  # 0.0 equals False, and is no tick of a box

    return _value_of(key, default, accept, drawn=drawn, named=named)


def text(key: str, default: str) -> str:
    """Any text, as typed; what is wrong with it is said where it is read."""
    return _value_of(key, default, str)


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
    state, view = st.session_state, url_state.current()
    linked = view.link.get(key)
    value = None if linked is None else accept(linked)
    if linked is not None and value is None:
        wish = escape_markdown(f"{key} {brief(linked)}, which is none of the choices here")
        url_state.refuse(f"The link asks for {wish}.")
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
    link = url_state.current().link
    if word in link:
        try:
            choices = read(str(link[word])) if link[word] is not None else {}
        except UserError as error:
            choices = {}
            url_state.refuse(f"The link asks for {word} {escape_markdown(repr(link[word]))}: {escape_markdown(error)}.")
        link |= dict.fromkeys(parts) | choices | {key: link[key] for key in parts if link.get(key) is not None}


def fold(word: str, parts: Collection[str], written: str) -> None:
    """Write several choices as one word of the URL, where any is not the default."""
    view = url_state.current()
    usual = all(view.texts.get(key) is None for key in parts) and view.written_url.get(word) != written
    view.texts |= dict.fromkeys(parts) | {word: None if usual else written}
