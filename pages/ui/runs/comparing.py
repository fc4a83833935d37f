"""Picked evaluations beside each other: what differs between them, and what that costs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.base.escape import plain
from core.results import protocols
from core.results import rows as reading
from core.results.comparison import Interval
from core.results.rows import Row
from core.show.figures import evaluation
from pages.ui import frame, view
from pages.ui.prune import stored


def show(rows: Sequence[Row]) -> None:
    """The differing settings, a sentence for each row against the first, and their chart."""
    if not rows:
        return
    st.header("Compared", anchor=False)
    if len(rows) == 1:
        st.info(f"{plain(rows[0].called)} is the reference: pick at least one more row.")
        return
    base, others = rows[0], rows[1:]
    found = [reading.compared(row, base) for row in others]
    st.markdown("\n".join(f"- {plain(reading.said(row, base, each))}" for row, each in zip(others, found, strict=True)))
    columns = table(rows, found)
    pinned = {"setting": st.column_config.TextColumn(width=170, pinned=True)}
    frame.show_table(columns, "The compared settings: only what differs", pinned)
    st.caption("Only the settings that differ are shown; all others are the same in every row.")
    for row in rows:
        if row.one.helped:
            st.warning(plain(f"{row.called}. {row.one.helped}"))
    _chart(base, others, found)
    _protocols(rows)


def table(rows: Sequence[Row], found: Sequence[Interval | None]) -> pd.DataFrame:
    """A row per setting: what differs, perplexity, the change against the first, and zero-shot accuracies.

    Args:
        found: of every row but the first.
    """
    columns = {"setting": [row.called for row in rows], "perplexity": [row.one.perplexity for row in rows]}
    broken = [row.one.trouble for row in rows]
    if any(broken):
        columns["not a number"] = broken
    for name, label in {"value": "against the first, %", "low": "95% low", "high": "95% high"}.items():
        columns[label] = [math.nan, *(getattr(each, name) if each else math.nan for each in found)]
    return pd.DataFrame(columns | reading.differing(rows) | _accuracies(rows))


def _accuracies(rows: Sequence[Row]) -> dict[str, list[str]]:
    """A column per zero-shot task that any of the rows was asked; empty where one was not."""
    found = {
        name: [reading.accuracy(row.one, task.name) if task in row.study.spec.tasks else "" for row in rows]
        for task, name in reading.tasks(rows).items()
    }
    return {name: said for name, said in found.items() if any(said)}


def _chart(base: Row, others: Sequence[Row], found: Sequence[Interval | None]) -> None:
    """Changes against the first as intervals, where there are any."""
    names = reading.distinct([row.called for row in others], others)
    known = {name: each for name, each in zip(names, found, strict=True) if each is not None}
    if any(each.value == each.value for each in known.values()):
        title = "Against the first picked"
        chart = evaluation.changes(known, None, base.called, view.look(), title)
        frame.show(chart, "compared", "compared-changes")


def _protocols(rows: Sequence[Row]) -> None:
    """What the numbers were read on: one line where all rows share it."""
    for alike in reading.by_protocol(rows):
        stored.stamp(reading.badge(alike), protocols.versions(row.one.result for row in alike))
