"""The table of a study on a page, with its download."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
import streamlit as st

from core.results.study_table import CHANGE, Table
from pages.ui import frame

ABOUT = (
    "A perplexity is the mean over a setting's calibration seeds; a change uses only the seeds that both settings "
    "share. Intervals are 95 %, paired over windows."
)


def show(table: Table, alt: str, file: str, key: str) -> None:
    """Draw a table: what a row is stays in sight, and changes have two decimals.

    Args:
        file: the name of the downloaded file, without its end.
    """
    about = {name: column.about for name, column in table.columns.items() if column.about and name in table.values}
    helps = {name: st.column_config.Column(help=text) for name, text in about.items() if name not in frame.SHARES}
    frame.show_table(pd.DataFrame(table.numbers), alt, columns(table.numbers) | helps, key=key)
    st.caption(ABOUT)
    st.download_button(
        "Download CSV", lambda: table.csv, file_name=f"{file}.csv", mime="text/csv", key=f"{key}-csv", on_click="ignore"
    )


def columns(heads: Iterable[str]) -> dict[str, object]:
    """How columns of the table are written: changes with their sign, what a row is always in sight."""
    change = st.column_config.NumberColumn(format="%+,.2f")
    changes = [head for head in heads if head.startswith(CHANGE) or head.endswith((" low", " high", " seeds"))]
    return dict.fromkeys(changes, change) | {"allocation": st.column_config.TextColumn(width=170, pinned=True)}
