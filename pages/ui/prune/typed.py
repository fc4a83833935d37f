"""Widgets whose values are not a closed list, held equal to the URL all the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import streamlit as st

from core.specs.errors import UserError
from pages.ui import view

Value = TypeVar("Value", str, int)


def text(key: str, default: str, drawn: bool = True) -> str:
    """Any text, as typed; what is wrong with it is said where it is read."""
    return _sync(key, default, str, drawn)


def whole(key: str, default: int, least: int, drawn: bool = True) -> int:
    """A whole number; others in the URL are dropped."""

    def read(typed: object) -> int | None:
        found = int(typed) if str(typed).isdecimal() else None
        return found if found is not None and found >= least else None

    return _sync(key, default, read, drawn)


def _sync(key: str, default: Value, read: Callable[[object], Value | None], drawn: bool = True) -> Value:
    last = st.session_state.get("view", {}).get(key, (None, None))[1]
    given = [each for each in (st.query_params.get(key), st.session_state.get(key), last) if each is not None]
    found = [value for value in map(read, given) if value is not None]
    return view.sync(key, [default, *found], default, drawn=drawn)


def several(label: str, options: Mapping[str, str], key: str, default: str, help: str | None = None) -> list[str]:
    """Some of a few, in the URL as one text; options are value -> words."""

    def read(typed: object) -> str | None:
        return str(typed) if set(filter(None, str(typed).split(","))) <= set(options) else None

    asked = _sync(key, default, read)
    picked = [name for name in options if name in asked.split(",")]
    st.session_state[f"{key}-picked"] = picked
    st.pills(
        label,
        list(options),
        selection_mode="multi",
        key=f"{key}-picked",
        format_func=options.get,
        on_change=_picked,
        args=(key, tuple(options)),
        help=help,
    )
    return picked


def _picked(key: str, options: tuple[str, ...]) -> None:
    chosen = st.session_state[f"{key}-picked"]
    st.session_state[key] = ",".join(each for each in options if each in chosen)


def fractions(typed: str, what: str) -> list[float]:
    """`0.5, 0.6` -> [0.5, 0.6].

    Raises:
        UserError: something else than numbers from 0 to below 1.
    """
    try:
        found = list(dict.fromkeys(float(part) for part in typed.split(",") if part.strip()))
    except ValueError:
        found = []
    if not found or not all(0 <= each < 1 for each in found):
        raise UserError(f"{what} {typed!r} are not sparsities: write numbers from 0 to below 1, as in 0.5, 0.6, 0.7")
    return found
