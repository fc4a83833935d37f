"""Who reads, where a server is shared, and the buttons that run, write or delete for them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import streamlit as st

from core.specs.errors import UserError
from core.specs.shortages import shortage
from core.store import access
from pages.ui import frame

REFUSAL = "refusal"  # in the state: page and key of the button that was pressed last, and why nothing came of it


def name() -> str:
    """What the proxy in front or the login calls this reader; empty for somebody without a name."""
    if header := os.environ.get(access.USER_HEADER):
        return st.context.headers.get(header) or ""
    known = st.user.to_dict() if os.environ.get(access.LOGIN) else {}
    return str(known.get("email") or known.get("sub") or "") if known.get("is_logged_in") else ""


def is_welcome() -> bool:
    """Whether the page may be drawn; asks a reader of a server with a login to log in."""
    if not os.environ.get(access.LOGIN) or st.user.to_dict().get("is_logged_in"):
        return True
    st.title("Log in to use this server", anchor=False)
    st.button("Log in", on_click=st.login)
    return False


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


def forgive() -> None:
    """Say a refusal no longer: the page has been drawn with it, and parts that redraw by themselves keep it."""
    st.session_state.pop(REFUSAL, None)


def _press(here: tuple[str | None, str], act: Callable[..., object], args: tuple | list) -> None:
    """Do what a button says. What is written here, before the page or a part of it is drawn, nobody would see."""
    forgive()
    try:
        act(*args)
    except (UserError, OSError) as error:
        sentence = str(error) if isinstance(error, UserError) else shortage(error)
        if sentence is None:
            raise
        st.session_state[REFUSAL] = here, sentence
