"""Who reads, where a server is shared, and the buttons that run, write or delete for them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import streamlit as st

from core.store import access


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
    """A button that runs, writes or deletes: off where nothing may be."""
    if access.is_read_only():
        more |= {"disabled": True, "help": "This server is read-only."}
    return st.button(label, on_click=act, args=args, **more)
