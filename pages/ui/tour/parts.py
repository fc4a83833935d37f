"""What chapters share: the lesson under a figure, its numbers, the way to the page where it is done for real."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.figures import labels
from core.lessons import Scale
from core.store.profiles import Profile
from pages.ui import frame, view
from pages.ui.live import tour


def opening(sentence: str, task: str) -> None:
    """What the chapter says, and what there is to do."""
    st.markdown(f"{sentence} :material/touch_app: **Try:** {task}")


def lesson(*sentences: str) -> None:
    """What the profile teaches; every sentence is computed from it."""
    for sentence in sentences:
        st.markdown(f":material/lightbulb: {sentence}")


def beside() -> tuple[DeltaGenerator, DeltaGenerator]:
    """Room for the figure, and for the words beside it: a chapter is one screen. On a phone they come below it."""
    figure, said = st.columns([3, 2], gap="medium")
    return figure, said


def figure(shown: tour.Figure, moved: Callable[[dict], None]) -> None:
    """Draw a chapter's figure; what stands beside and below follows once the browser shows it."""
    frame.live(shown, moved)
    if frame.is_first_paint():
        view.end()


def numbers(table: pd.DataFrame, about: str, profile: Profile, name: str) -> None:
    """What a figure's numbers are of, and the numbers, folded away, with a download."""
    st.caption(labels.source(profile))
    frame.numbers(table, about, f"{profile.entry.key[:6]}-tour-{name}", f"tour-{name}")


def real(page: str, label: str, profile: Profile, **choices: object) -> None:
    """A link to the page where the same is done for real, with the same view."""
    plain = {"statistic": "geometric"} if page == "absorption.py" else {}  # else what was last chosen there would stay
    chosen = {"profile": profile.entry.key} | {key: str(value) for key, value in (plain | choices).items()}
    st.page_link(page, label=label, icon=":material/arrow_forward:", query_params=chosen)


def step(key: str, scale: Scale, usual: float) -> int:
    """The step of a slider, in the URL as its value."""
    stops = written(scale)
    default = min(scale.measured, key=lambda each: abs(scale.values[each] - usual))
    return stops.index(view.sync(key, stops, stops[default]))


def written(scale: Scale) -> list[str]:
    """The strengths as numbers, two digits each: `0.3`, `0.17`."""
    return [f"{value:.2g}" for value in scale.values]


def keep(key: str, scale: Scale, index: int) -> None:
    """Remember the step that a slider was dragged to."""
    st.session_state[key] = written(scale)[index]


def origin(scale: Scale) -> list[str]:
    """Whether a step was measured, in words."""
    return ["measured" if i in scale.measured else "interpolated" for i in range(len(scale.values))]
