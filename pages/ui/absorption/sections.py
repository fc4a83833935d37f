"""Parts of the absorption page: its charts, row by row of the table, and every verdict in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st

from core.analysis import findings
from core.analysis.gains import gains_of
from core.figures import labels
from core.figures.charts import ChartRow, InView
from core.specs.errors import UserError
from core.specs.formats import capital
from core.store.profiles import Profile
from pages.ui import frame


def verdicts(profile: Profile) -> pd.DataFrame:
    """One sentence per perturbation."""
    rows = []
    for name, asked in profile.perturbations.items():
        where = labels.POSITIONS[getattr(asked, "positions", "all")]
        rows.append((asked.label, where, findings.finding(gains_of(profile.seeds(name)))))
    return pd.DataFrame(rows, columns=["perturbation", "where", "verdict"])


def group(rows: Sequence[ChartRow], asked: InView, prefix: str, compared: Callable[[], Profile | None]) -> None:
    """Charts beside each other, two in a line; a last one by itself is as wide as the page.

    Args:
        compared: draws the picker of another profile, under the chart that draws it too.
    """
    for pair in (rows[first : first + 2] for first in range(0, len(rows), 2)):
        for place, row in zip(st.columns(len(pair), gap="large"), pair, strict=True):
            with place:
                slot = st.container()
                shown = replace(asked, twin=compared()) if row.compares else asked
                with slot:
                    _chart(row, shown, prefix)


def _chart(row: ChartRow, asked: InView, prefix: str) -> None:
    """A chart, or what to measure to have it."""
    try:
        chart = row.draw(asked)
    except UserError as lacking:
        st.header(row.question, anchor=False)
        st.info(f"{capital(str(lacking))}.")
        return
    frame.show(chart, prefix, row.key, on_select=pick_clicked if row.key == "matrix" else None)


def pick_clicked() -> None:
    """A clicked cell highlights its injection layer."""
    points = st.session_state["matrix"].selection.points
    if points:
        st.session_state["layer"] = int(points[0]["customdata"][0])
