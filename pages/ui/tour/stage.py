"""How the tour stands on a screen: its buttons in one place, and the presenter's mode for a room."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.ui import view

WORDS = {False: "off", True: "on"}
HERE = Path(__file__).parent


def presenting() -> bool:
    """Whether the tour is shown to a room."""
    return bool(st.session_state.get("present"))


def choose() -> None:
    """Hold the switch equal to the URL; call it before anything is drawn."""
    view.sync("present", list(WORDS), False, spell=WORDS.get)


def switch() -> None:
    """The switch of the presenter's mode."""
    st.toggle("Present", key="present", help="No sidebar, large type. The arrow keys turn the chapters.")


def dress() -> None:
    """Where the buttons stand and, before a room, what is hidden and what the arrow keys do."""
    st.html(f"<style>{_read('stage.css')}{_read('presenting.css') if presenting() else ''}</style>")
    if presenting():
        st.html(f"<script>{_read('presenting.js')}</script>", unsafe_allow_javascript=True)


def _read(name: str) -> str:
    return (HERE / name).read_text("utf-8")
