"""A chart on a page: title, figure with its text alternative, finding, numbers, download."""

from __future__ import annotations

import time
from collections.abc import Callable

import streamlit as st

from pages.ui.charts import Chart

PAUSE = 1.2  # seconds; a little more than a laptop's browser needs to load the chart library


def is_first_paint() -> bool:
    """Whether this run draws only the top of a page; the whole page follows a moment later.

    A browser that opens its first chart loads the chart library, then draws all charts that have arrived before it
    shows any. With the top alone the reader sees something sooner.
    """
    if st.session_state.get("painted"):
        return False
    st.session_state.setdefault("opened", time.monotonic())
    st.fragment(run_every=PAUSE)(_go_on)()
    return True


def _go_on() -> None:
    if time.monotonic() - st.session_state["opened"] >= PAUSE:
        st.session_state["painted"] = True
        st.rerun()


def show(chart: Chart, prefix: str, key: str, on_select: Callable[[], None] | None = None) -> None:
    """Draw a chart whole.

    Args:
        prefix: begins the names of downloaded files; says what the numbers are of.
        key: of the figure; selected points are in the state under it.
        on_select: called when a point is clicked.
    """
    st.subheader(chart.title, anchor=False)
    file = f"{prefix}-{chart.name}".replace(":", "-").replace("@", "-")
    st.plotly_chart(
        chart.figure,
        key=key,
        alt=f"{chart.title}. {chart.finding}",
        on_select=on_select or "ignore",
        selection_mode="points",
        config={"displaylogo": False, "toImageButtonOptions": {"format": "svg", "filename": file}},
    )
    st.markdown(chart.finding)
    with st.expander("Numbers"):
        numbers = {name: st.column_config.NumberColumn(format="%.4g") for name in chart.table.select_dtypes("float")}
        st.dataframe(chart.table, hide_index=True, height=240, column_config=numbers, alt=f"Numbers of: {chart.title}")
        st.download_button(
            "Download CSV",
            lambda: chart.table.to_csv(index=False),
            file_name=f"{file}.csv",
            mime="text/csv",
            key=f"{key}-csv",
            on_click="ignore",
        )
