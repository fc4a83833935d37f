"""What benches measured: bars of one column, and a map of what works."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from core.base.formats import capital, digits, listed
from core.show.figures.axes import row_axis
from core.show.figures.style import LIGHT, Chart, Palette, layout


def bars(table: pd.DataFrame, column: str, title: str, look: Palette = LIGHT) -> Chart:
    """A bar for each row that has a number in the column; the first column names it."""
    known = table.dropna(subset=[column])
    names, values = known.iloc[:, 0].tolist(), known[column]
    texts = [digits(each, 3) for each in values]
    figure = go.Figure(
        go.Bar(
            x=values, y=names, orientation="h", text=texts, marker_color=look.ink,
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_layout(xaxis={"title": column, "rangemode": "tozero"}, yaxis=row_axis(names))
    finding = f"{capital(column)}: {listed(f'{name} {text}' for name, text in zip(names, texts, strict=True))}."
    return Chart("bench", title, layout(figure, height=110 + 30 * len(names), right=48), finding, table)


def works(table: pd.DataFrame, title: str, look: Palette = LIGHT) -> Chart:
    """A cell for each row and column: filled where it says yes, crossed where it says no."""
    names, heads = table.iloc[:, 0].tolist(), list(table.columns[1:])
    cells = table.iloc[:, 1:]
    yes = cells.eq("yes")
    figure = go.Figure(
        go.Heatmap(
            x=heads, y=names, z=yes.astype(int).to_numpy(), text=cells.replace({"yes": "", "no": "×"}).to_numpy(),
            texttemplate="%{text}", colorscale=[(0, look.hidden), (1, look.family[1])], showscale=False, zmin=0, zmax=1,
            xgap=2, ygap=2, hovertemplate="%{y}, %{x}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_layout(xaxis={"side": "top"}, yaxis=row_axis(names))
    whole = int(yes.all(axis=1).sum())
    finding = f"{whole} of {len(names)} families can do everything; × marks what is refused in one sentence."
    return Chart("works", title, layout(figure, height=90 + 22 * len(names), top=40), finding, table)
