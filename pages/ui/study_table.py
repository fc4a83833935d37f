"""The table of a study on a page, with its download."""

from __future__ import annotations

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
    names = table.numbers
    columns = {
        name: _change(name) for name in names if name.startswith(CHANGE) or name.endswith((" low", " high", " seeds"))
    }
    about = {name: column.about for name, column in table.columns.items() if column.about and name in names}
    columns |= {name: st.column_config.Column(help=text) for name, text in about.items() if name not in frame.SHARES}
    columns |= {"allocation": st.column_config.TextColumn(width=170, pinned=True)}
    frame.show_table(pd.DataFrame(table.numbers), alt, columns, key=key)
    st.caption(ABOUT)
    st.download_button(
        "Download CSV", lambda: table.csv, file_name=f"{file}.csv", mime="text/csv", key=f"{key}-csv", on_click="ignore"
    )


def _change(name: str) -> object:
    return st.column_config.NumberColumn(
        format="%+,.2f", help="Change of perplexity, per cent" if "%" in name else None
    )
