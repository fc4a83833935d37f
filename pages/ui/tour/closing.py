"""The end of the tour: what was learned, and where to go on."""

from __future__ import annotations

import streamlit as st

from core.show import lessons
from core.store.profiles import Profile
from pages.ui import studies
from pages.ui.tour import stage
from pages.ui.tour.parts import real

ON = {
    "lab.py": "Try your own sentence",
    "absorption.py": "Explore every layer",
    "allocate.py": "Allocate a budget",
    "measure.py": "Measure your own model",
}


def draw(profile: Profile, titles: dict[str, str]) -> None:
    """A sentence a chapter, as this profile tells it, with the way back to each; then the ways on.

    Args:
        titles: chapter -> what its button says.
    """
    taught = list(lessons.closing(profile).items())
    half = (len(taught) + 1) // 2
    for column, part in zip(st.columns(2, gap="large"), (taught[:half], taught[half:]), strict=True):
        with column:
            for chapter, said in part:
                _row(chapter, titles[chapter], said)
    whole = lessons.measured(studies.groups(profile).values())
    if whole:
        _say(f"**All layers at once.** {lessons.ranked(whole)}")
    if not stage.presenting():
        with st.container(horizontal=True):
            for page, label in ON.items():
                real(page, label, profile)


def _row(chapter: str, title: str, said: str) -> None:
    with st.container(gap=None):
        st.button(
            f"**{title}**", key=f"again-{chapter}", type="tertiary",
            on_click=st.session_state.update, kwargs={"chapter": chapter},
        )  # fmt: skip
        _say(said)


def _say(sentence: str) -> None:
    st.markdown(sentence.replace(" %", "\u00a0%"))
