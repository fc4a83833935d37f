"""Chart groups of the absorption part, drawn one at a time, and a table of every perturbation's verdict."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import pandas as pd
import streamlit as st

from core.base import UserError, sentence
from core.show import words
from core.show.figures import Chart
from core.show.figures.charts import CHECKS, GLANCE, GROUPS, PARTS, WHY, ChartRow
from core.show.figures.style import KEY, TOP, InView
from core.show.lessons.shared import sketched_twin, with_parts
from core.show.words import gain_sentences
from core.store import Profile, Store
from pages.ui import current_profile, layout, watch
from pages.ui.live import overview

SCROLLED = 430  # px of the table of verdicts


def show(group: str, view: InView, prefix: str) -> None:
    """Draw a group: its choices, its charts two in a row, and its tables or links below."""
    rows, twin = GROUPS[group], None
    if group == WHY and view.profile.sketch and (other := sketched_twin(Store(), view.profile)):
        twin = current_profile.load(other.key)
    lacks_parts = group == PARTS and not any(each.kind == "skip_part" for each in view.profile.perturbations.values())
    pairs(rows[:1] if lacks_parts else rows, replace(view, twin=twin), prefix)
    if lacks_parts and (measured := with_parts(Store(), view.profile)):
        watch.open_profile(measured.key, "Parts of this model were measured on another text", group=PARTS)
    if group == CHECKS:
        _verdicts(view.profile)


def pairs(rows: Sequence[ChartRow], view: InView, prefix: str) -> None:
    """Draw charts two in a row."""
    for pair in (rows[first : first + 2] for first in range(0, len(rows), 2)):
        for place, row in zip(st.columns(len(pair), gap="large"), pair, strict=True):
            with place:
                chart(row, view, prefix)


def _verdicts(profile: Profile) -> None:
    layout.header("What does the network do with each perturbation?")
    alt = "What the network does with each perturbation, in a sentence"
    verdicts = [
        (words.perturbation(each), gain_sentences.of_perturbation(profile, name))
        for name, each in profile.perturbations.items()
    ]
    # a grid would cut the sentences
    st.table(pd.DataFrame(verdicts, columns=["perturbation", "verdict"]), height=SCROLLED, hide_index=True, alt=alt)


def chart(row: ChartRow, view: InView, prefix: str) -> None:
    """Draw a chart, or say what to measure for it."""
    try:
        drawn = _drawn(row, view)
    except UserError as lacking:
        st.subheader(row.question, anchor=False)
        layout.note(sentence(lacking))
        return
    layout.show(drawn, prefix, row.key, on_select=pick_clicked if row.key == "matrix" else None, brief=True)


@lru_cache
def _drawn(row: ChartRow, view: InView) -> Chart:
    """A chart, built once for all runs of the page and all readers of the same view."""
    drawn = row.draw(view)
    if row.group == GLANCE:
        drawn.figure.layout.height = KEY - TOP + overview.HEIGHT
    return drawn


def pick_clicked() -> None:
    """A clicked cell highlights its injection layer."""
    points = st.session_state["matrix"].selection.points
    if points:
        st.session_state["layer"] = int(points[0]["customdata"][0])
