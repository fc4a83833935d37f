"""Charts -> exhibits of a report: each figure for light and for dark pages, and its numbers as text."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pandas as pd
import plotly.graph_objects as go

from core.report.page import Exhibit, Table
from core.show.figures.style import DARK, LIGHT, Chart, Palette

FONT = "system-ui, sans-serif"


def exhibit(draw: Callable[[Palette], Chart], note: str, prefix: str, of: str = "") -> Exhibit:
    """A chart drawn for both kinds of page.

    Args:
        note: what the numbers are of.
        prefix: begins the name of a downloaded picture.
        of: what its title ends with, as in `: 70% zeros`; a question needs no colon.
    """
    light, dark = draw(LIGHT), draw(DARK)
    return Exhibit(
        name=f"{prefix}-{light.name}".replace(":", "-").replace("@", "-"),
        title=light.title + (of.removeprefix(":") if light.title.endswith("?") else of),
        finding=light.finding,
        light=_json(light.figure, LIGHT),
        dark=_json(dark.figure, DARK),
        table=table(light.table),
        note=note,
    )


def _json(figure: go.Figure, look: Palette) -> str:
    """Charts leave text and grid to the page's theme, and here is none: so it is said."""
    axis = {"gridcolor": look.faint, "linecolor": look.guide, "color": look.ink, "zerolinecolor": look.guide}
    theme = {"font": {"family": FONT, "color": look.ink, "size": 13}, "xaxis": axis, "yaxis": axis}
    return figure.update_layout(template=go.layout.Template(layout=theme)).to_json()


def table(frame: pd.DataFrame) -> Table:
    """A frame with its numbers written to five digits."""
    return texts(list(frame.columns), *frame.itertuples(index=False))


def texts(columns: Sequence[object], *rows: Sequence[object]) -> Table:
    """Heads and rows of values as they are written."""
    return Table(tuple(map(str, columns)), tuple(tuple(map(_text, row)) for row in rows))


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.5g}" if math.isfinite(value) else "not a number" if math.isnan(value) else "infinite"
    return str(value)
