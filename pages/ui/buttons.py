"""Buttons that run, write or delete: off on a read-only server, with a refusal shown beside the one pressed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from core.base import access
from core.base.errors import UserError, shortage
from pages.ui import frame

REFUSAL = "refusal"  # in the state: page and key of the button that was pressed last, and why nothing came of it


def button(label: str, act: Callable[..., object], args: tuple | list = (), **more: Any) -> bool:
    """A button that runs, writes or deletes: off where nothing may be. What refuses it is said beside it.

    Returns:
        Whether it was pressed and did what it says.
    """
    if access.is_read_only():
        more |= {"disabled": True, "help": "This server is read-only."}
    here = st.session_state.get("page"), more.get("key", label)
    pressed = st.button(label, on_click=_press, args=(here, act, args), **more)
    last, refusal = st.session_state.get(REFUSAL, (None, None))
    if last == here:
        frame.error(refusal)
    return pressed and last != here


def forget_refusal() -> None:
    """Show the last refusal no longer: the page has been drawn with it, and fragments keep it."""
    st.session_state.pop(REFUSAL, None)


def _press(here: tuple[str | None, str], act: Callable[..., object], args: tuple | list) -> None:
    """Do what a button says. What is written here, before the page or a part of it is drawn, nobody would see."""
    forget_refusal()
    try:
        act(*args)
    except (UserError, OSError) as error:
        sentence = str(error) if isinstance(error, UserError) else shortage(error)
        if sentence is None:
            raise
        st.session_state[REFUSAL] = here, sentence
