"""A page that turns dark or light: what is drawn has its colours from Python, which is asked for them again."""

from __future__ import annotations

import streamlit as st

from pages.ui.live import component

COMPONENT = component("turned")


def watch() -> None:
    """Run the page again where the reader, or the machine in the evening, changes its theme; it shows nothing."""
    with st.container(key="turned"):
        COMPONENT(key="turned-watch", on_turned_change=lambda: None)
