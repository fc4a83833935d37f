"""Undo for a page of settings: each run's values are remembered, and one button puts the former ones back."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

LONGEST = 50


def remember(keys: Iterable[str], subject: str) -> None:
    """Note the present settings; call once they are all known. Another subject begins anew."""
    now = {key: st.session_state[key] for key in keys if key in st.session_state}
    about, past = st.session_state.get("past", (subject, []))
    if about != subject:
        past = []
    if not past or past[-1] != now:
        past = [*past, now][-LONGEST:]
    st.session_state["past"] = (subject, past)


def button(key: str = "undo") -> None:
    """Draw it; call after `remember`. A second one, elsewhere on the page, has a key of its own."""
    _, past = st.session_state["past"]
    st.button(
        "Undo",
        key=key,
        icon=":material/undo:",
        on_click=_back,
        disabled=len(past) < 2,
        help="Takes back the last change of a setting or of a layer set by hand.",
    )


def _back() -> None:
    subject, past = st.session_state["past"]
    if len(past) < 2:
        return
    st.session_state["past"] = (subject, past[:-1])
    for key, value in past[-2].items():
        st.session_state[key] = value
