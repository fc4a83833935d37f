"""A chart on a page: title, figure with its text alternative, finding, numbers, download."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from pages.ui.charts import Chart


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
