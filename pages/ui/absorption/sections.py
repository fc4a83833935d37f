"""Groups of charts of the Absorption page, one drawn at a time; a table of every perturbation's verdict."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import pandas as pd
import streamlit as st

from core.base import UserError, plain, sentence
from core.show import figures, words
from core.show.figures import Chart
from core.show.figures.charts import CHECKS, COMPARED, GAIN, GLANCE, PARTS, ChartRow
from core.show.figures.charts import GROUPS as CHARTED
from core.show.figures.style import KEY, TOP, InView
from core.show.lessons.absorption import with_parts
from core.show.words import findings
from core.store import Profile, Store
from pages.ui import form, frame, subject, view, watch
from pages.ui.absorption import checkpoint_diff, overview

GROUPS = {name: rows for name, rows in CHARTED.items() if name != GLANCE}  # those of a glance stand at the top
ABOUT_STATISTICS = (
    "The mean of ratios is the paper's coefficient, which we know from secondary sources only. Verdicts always use the "
    "geometric mean."
)
SCROLLED = 430  # px of the table of verdicts
MAP_HEIGHT = KEY - TOP + overview.HEIGHT


def show(group: str, asked: InView, prefix: str, compared: Callable[[], Profile | None]) -> None:
    """A group: its charts two in a line, what is chosen for them above, and what belongs to it below.

    Args:
        compared: draws the picker of another profile, for the chart that draws it too.
    """
    rows, twin = GROUPS[group], None
    if group == GAIN:  # which asks how gains are averaged
        with frame.row("top"):
            view.switch("Average over tokens", figures.STATISTICS, "statistic", help=ABOUT_STATISTICS)
            twin = compared()
    if group == COMPARED:
        checkpoint_diff.ask(asked.profile)
        stored = checkpoint_diff.offer_stored(asked.profile)
        if asked.name not in asked.profile.others:
            rows = rows[: bool(asked.profile.others or not stored)]  # says what to do; the others would say the same
    lacks_parts = group == PARTS and not any(each.kind == "skip_part" for each in asked.profile.perturbations.values())
    if lacks_parts:
        rows = rows[:1]
    for pair in (rows[first : first + 2] for first in range(0, len(rows), 2)):
        for place, row in zip(st.columns(len(pair), gap="large"), pair, strict=True):
            with place:
                chart(row, replace(asked, twin=twin), prefix)
    if lacks_parts and (found := with_parts(Store(), asked.profile)):
        watch.open_profile(found.key, "Parts of this model were measured on another text", group=PARTS)
    if group == CHECKS:
        st.header("What does the network do with each perturbation?", anchor=False)
        alt = "What the network does with each perturbation, in a sentence"
        st.table(verdicts(asked.profile), height=SCROLLED, hide_index=True, alt=alt)  # a grid would cut the sentences


def chart(row: ChartRow, asked: InView, prefix: str) -> None:
    """A chart, or what to measure to have it."""
    try:
        drawn = _drawn(row, asked)
    except UserError as lacking:
        st.subheader(row.question, anchor=False)
        st.info(plain(sentence(lacking)))
        return
    frame.show(drawn, prefix, row.key, on_select=pick_clicked if row.key == "matrix" else None, brief=True)


@lru_cache
def _drawn(row: ChartRow, asked: InView) -> Chart:
    """A chart, drawn once for all runs of the page and all readers of the same view."""
    drawn = row.draw(asked)
    if row.group == GLANCE:
        drawn.figure.layout.height = MAP_HEIGHT
    return drawn


def compare_with(name: str) -> Profile | None:
    """The picker of a second profile for the gain chart."""
    known = subject.others()
    if not known:
        return None
    listed = {None: "no other profile", **known}
    twin = form.choice("Compare with", listed, "compare", None, width=360)
    try:
        other = subject.load(twin) if twin else None
    except UserError as error:
        frame.error(error)
        return None
    if other and name not in other.by_name:
        st.caption("The other profile does not hold this perturbation: measure it there to compare.")
    return other


def verdicts(profile: Profile) -> pd.DataFrame:
    """One sentence per perturbation, by kind and size."""
    found = profile.perturbations
    rows = [(words.perturbation(asked), findings.of_perturbation(profile, name)) for name, asked in found.items()]
    return pd.DataFrame(rows, columns=["perturbation", "verdict"])


def pick_clicked() -> None:
    """A clicked cell highlights its injection layer."""
    points = st.session_state["matrix"].selection.points
    if points:
        st.session_state["layer"] = int(points[0]["customdata"][0])
