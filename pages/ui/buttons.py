"""Buttons that run, write or delete: off on a read-only server, with a refusal shown beside the one pressed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from core.base import access
from pages.ui import frame


def button(label: str, act: Callable[..., object], args: tuple | list = (), **more: Any) -> None:
    """A button that runs, writes or deletes: off where nothing may be. The page is drawn anew once that is done."""
    if access.is_read_only():
        more |= {"disabled": True, "help": "This server is read-only."}
    if not st.button(label, **more):
        return
    with frame.shortages():
        act(*args)
        st.rerun()
