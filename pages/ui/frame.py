"""A chart on a page: title, figure with its text alternative, finding, numbers, download."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from pages.ui.charts import Chart


def is_first_paint() -> bool:
    """Whether this run draws a page down to its live picture only; the rest follows once the browser shows that.

    A browser spends seconds on loading the chart library before it can draw the first chart, and shows nothing
    meanwhile. A live picture needs no library.
    """
    return not st.session_state.get("painted")


def go_on() -> None:
    """The live picture stands: from now on pages are drawn whole. A component's callback."""
    st.session_state["painted"] = True


def show(chart: Chart, prefix: str, key: str, on_select: Callable[[], None] | None = None) -> None:
    """Draw a chart whole.

    Args:
        prefix: begins the names of downloaded files; says what the numbers are of.
        key: of the figure; selected points are in the state under it.
        on_select: called when a point is clicked.
    """
    st.header(chart.title, anchor=False)
    name = file(prefix, chart.name)
    st.plotly_chart(
        chart.figure,
        key=key,
        alt=f"{chart.title}. {chart.finding}",
        on_select=on_select or "ignore",
        selection_mode="points",
        config={"displaylogo": False, "toImageButtonOptions": {"format": "svg", "filename": name}},
    )
    st.markdown(chart.finding)
    numbers(chart.table, chart.title, name, key)


def show_table(table: pd.DataFrame, alt: str, columns: dict | None = None, **more: object) -> None:
    """A table with four digits to a number unless its column says otherwise, and a dash where there is none."""
    formats = {name: st.column_config.NumberColumn(format="%.4g") for name in table.select_dtypes("float")}
    shown = {"hide_index": True, "column_config": formats | (columns or {}), "placeholder": "–"} | more
    st.dataframe(table, alt=alt, **shown)


def file(prefix: str, name: str) -> str:
    """A name for a downloaded file: perturbations are written with signs that files cannot carry everywhere."""
    return f"{prefix}-{name}".replace(":", "-").replace("@", "-")


def numbers(table: pd.DataFrame, about: str, file: str, key: str) -> None:
    """The data of a picture, folded away, with a download."""
    with st.expander("Numbers"):
        show_table(table, f"Numbers of: {about}", height=240)
        st.download_button(
            "Download CSV",
            lambda: table.to_csv(index=False),
            file_name=f"{file}.csv",
            mime="text/csv",
            key=f"{key}-csv",
            on_click="ignore",
        )
