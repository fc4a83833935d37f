"""All results of the studies of one protocol as a table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from core.ask import grammar
from core.base.escape import plain
from core.results import protocols
from core.results.evaluated import Change, EvaluatedSetting
from core.results.evaluations import Evaluations
from pages.ui import frame

LEADING = ("setting", "target", "perplexity")
CHANGES = ("against", "uniform", "base")  # begin the names of columns of changes, in per cent


def show(results: Evaluations, prefix: str) -> None:
    """The table, how to read it, and its download."""
    table = rows(results).dropna(axis=1, how="all")
    frame.show_table(table, "Every setting with all that was measured of it", _columns(table))
    if seeded(results):
        st.caption(plain(seeded(results)))
    st.download_button(
        "Download CSV",
        lambda: table.assign(protocol=protocols.badge(results)).to_csv(index=False),
        file_name=f"{prefix}-study.csv",
        mime="text/csv",
        key="numbers-csv",
        on_click="ignore",
    )


def seeded(results: Evaluations) -> str:
    """How to read perplexities beside changes where settings were not measured with the same seeds; else nothing."""
    if len({one.seeds for one in results.settings if one.seeds}) < 2:
        return ""
    return (
        "A perplexity is the mean over all calibration seeds of its setting. A change uses only the seeds that both "
        "settings share, so it can differ from the ratio of two perplexities."
    )


def _columns(table: pd.DataFrame) -> dict:
    """What a row is stays in sight; changes have one number of decimals, whatever the column."""
    changes = {name: st.column_config.NumberColumn(format="%+,.2f") for name in table if name.startswith(CHANGES)}
    return {"setting": st.column_config.TextColumn(pinned=True)} | changes


def rows(results: Evaluations) -> pd.DataFrame:
    """A row per setting: perplexity, changes with intervals, divergence, agreement, zeros achieved, accuracies."""
    found = []
    if results.dense:
        found.append({"setting": "dense", "target": np.nan, **_of(results.dense, results)})
    for one in results.settings:
        row = {"setting": one.name, "target": one.setting.allocation.target}
        row |= {"pruner": one.setting.treatment.label, **_of(one, results)}
        for name, change in (("uniform", one.against_uniform), ("base", one.against_base)):
            row |= _against(name, change) if change else {}
        found.append(row | {"with all parameters": grammar.said(one.setting.allocation)})
    table = pd.DataFrame(found)
    first = [name for name in table if name in LEADING]
    changes = [name for name in table if name.startswith(CHANGES)]
    return table[[*first, *changes, *(name for name in table if name not in (*first, *changes))]]


def _against(name: str, change: Change) -> dict[str, float]:
    ends = change.windows
    told = {f"against {name}, %": ends.value, f"{name} low": ends.low, f"{name} high": ends.high}
    if change.seeds.certain:
        told |= {f"{name} low, seeds": change.seeds.low, f"{name} high, seeds": change.seeds.high}
    return told


def _of(one: EvaluatedSetting, results: Evaluations) -> dict[str, object]:
    told = {
        "perplexity": one.perplexity,
        "not finite from layer": one.broken,
        "KL, nats": one.kl,
        "agreement": one.agreement,
        "zeros, mean of linears": one.zeros,
        "calibration seeds": ", ".join(map(str, one.seeds)),
    }
    return told | _accuracies(one, results)


def _accuracies(one: EvaluatedSetting, results: Evaluations) -> dict[str, float]:
    """Accuracy of every task that was asked of a setting, with its standard error."""
    found = {name: one.accuracy(name) for name in results.tasks if one.has(name)}
    return {
        column: value
        for name, (mean, error, _) in found.items()
        for column, value in ((name, mean), (f"{name}, standard error", error))
    }
