"""The grammar of all charts: their layout, what is drawn in them, and what stands beside a figure."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import ArrayLike
from plotly.io import from_json

from core.base import frozen
from core.show.figures.palette import FONT, LIGHT, SIZE, Palette, in_palette, see_through
from core.store import Array, Perturbed, Profile

CELLS = 48  # layers whose cells are kept apart by lines
TOP, BOTTOM = 28, 48  # px above a plot, for the title of its axis, and below, for the words of the other
KEY = 48  # px above a plot that has a key or a colour scale there too
HEIGHT = 440  # px of charts that stand beside each other
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "star", "cross")  # of measured curves: a dash is a prediction
MOST_DRAWN = 512  # charts that are remembered for all readers, 80 MB at most: every layer is another in most of them


@frozen
class Chart:
    """A figure with everything that must stand beside it."""

    name: str  # for files
    title: str
    figure: go.Figure
    finding: str  # one sentence
    table: pd.DataFrame

    @property
    def alt(self) -> str:
        """The text alternative: title and finding, each a sentence."""
        return f"{self.title}{'' if self.title.endswith('?') else '.'} {self.finding}"


@dataclass(frozen=True)
class InView:
    """The profile, perturbation and layer that a chart is drawn of."""

    profile: Profile
    name: str  # of the perturbation
    layer: int  # the highlighted one
    twin: Profile | None = None  # another profile to compare with

    @property
    def seeds(self) -> list[Perturbed]:
        """The perturbation measured, by noise seed."""
        return self.profile.seeds(self.name)


def layout(
    traces: go.Figure | Iterable, x: dict, y: dict, height: int = HEIGHT, right: int = 16, top: int = KEY,
    **more: object,
) -> go.Figure:  # fmt: skip
    """Traces with their axes and room for labels; the title of the vertical axis lies above it.

    Args:
        more: shapes and annotations.
    """
    figure = traces if isinstance(traces, go.Figure) else go.Figure(traces)
    above = {"text": y.get("title"), "x": 0, "xref": "container", "y": 1, "yref": "paper", "yanchor": "bottom"}
    whole = {
        "xaxis": x,
        "yaxis": y | {"title": None},
        "title": above | {"pad": {"b": 12}},
        "height": height,
        "margin": {"l": 8, "r": right, "t": top, "b": BOTTOM},
        "uirevision": "keep",
    } | more
    return figure.update_layout(whole, overwrite="xaxis2" not in figure.layout)  # to merge takes plotly thrice as long


@lru_cache(maxsize=MOST_DRAWN)
def themed(chart: Chart, look: Palette) -> go.Figure:
    """Its figure in a palette and in the type of live pictures, with no box to zoom by accident while scrolling."""
    small = {"font": {"size": SIZE}}
    axis = {
        "gridcolor": LIGHT.grid,
        "linecolor": LIGHT.guide,
        "ticks": "",
        "ticklabelstandoff": 4,
        "title": small | {"standoff": 6},
        "automargin": True,
        "zeroline": False,
    }
    clear = dict.fromkeys(("paper_bgcolor", "plot_bgcolor"), "rgba(0,0,0,0)")
    hover = {"bgcolor": LIGHT.page, "font": {"family": FONT, "color": LIGHT.ink}}
    still = {"showlegend": False, "hovermode": "closest", "dragmode": False, "hoverlabel": hover}
    alike = {"font": {"family": FONT, "size": SIZE, "color": LIGHT.soft}, "title": small, "xaxis": axis, "yaxis": axis}
    chart.figure.layout.template = {"layout": alike | clear | still}
    return from_json(in_palette(chart.figure.to_json(), look))


# --- what is drawn ------------------------------------------------------------------------------------------------


def curve(
    x: ArrayLike, y: ArrayLike, name: str, hover: str, colour: str, width: float = 1.5, dash: str | None = None,
    marker: dict | None = None, **more: object,
) -> go.Scatter:  # fmt: skip
    """A line, its points marked where a marker is given."""
    line = {"color": colour, "width": width, "dash": dash}
    return points(x, y, name, hover, marker, mode="lines+markers" if marker else "lines", line=line, **more)


def points(x: ArrayLike, y: ArrayLike, name: str, hover: str, marker: dict | None, **more: object) -> go.Scatter:
    """Markers that say something where they are pointed at."""
    return go.Scatter(
        {"x": x, "y": y, "name": name, "hovertemplate": f"{hover}<extra></extra>", "marker": marker, "mode": "markers"}
        | more
    )


def band(x: Array, low: Array, high: Array, colour: str, opacity: float = 0.2) -> go.Scatter:
    """The area between two curves, where both are known."""
    x, low, high = np.array([x, low, high], float)[:, np.isfinite(low) & np.isfinite(high)]
    return go.Scatter(
        x=np.concatenate([x, x[::-1]]),
        y=np.concatenate([low, high[::-1]]),
        fill="toself",
        fillcolor=see_through(colour, opacity),
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        name="95% interval",
    )


def whiskers(value: Array, low: Array, high: Array, colour: str, thickness: float = 2) -> dict:
    """Error bars from values to the ends of their intervals; none where an end is not known."""
    above, below = (np.nan_to_num(part, posinf=0, neginf=0) for part in (high - value, value - low))
    return {"type": "data", "array": above, "arrayminus": below, "color": colour, "thickness": thickness, "width": 0}


def heat(z: Array, bar: dict | None = None, hover: str = "", **more: object) -> go.Heatmap:
    """Cells of a colour each, with lines between them where they are large enough; even steps of lightness.

    Args:
        z: (rows, columns).
        bar: the scale above it; None: it has none.
        hover: empty: cells say nothing.
    """
    y, x = map(np.arange, z.shape)
    words = {"hovertemplate": f"{hover}<extra></extra>"} if hover else {"hoverinfo": "skip"}
    gap = 0.5 if len(x) <= CELLS else 0.0
    usual = {"colorscale": "Cividis", "xgap": gap, "ygap": gap, "showscale": bar is not None, "colorbar": bar}
    return go.Heatmap(z=z, x=x, y=y, **(usual | words | more))


def colour_bar(**more: object) -> dict:
    """A scale that lies above its heatmap, beside the title of the vertical axis."""
    lying = {"orientation": "h", "x": 0.93, "xanchor": "right", "y": 1.0, "yanchor": "bottom", "len": 0.62}
    return lying | {"thickness": 8, "ypad": 0} | more


def cells(x: Array, y: Array, hover: str, **more: object) -> go.Scatter:
    """Invisible squares over the cells of a heatmap, which itself can be neither hovered well nor clicked.

    They are small: of two that both lie under the mouse plotly takes either, not the nearer one.
    """
    marker = {"symbol": "square", "size": 6, "opacity": 0}
    return points(x, y, "cells", hover, marker, **more)


def upright(x: float, **line: object) -> dict:
    """A line from the bottom to the top."""
    return {"type": "line", "x0": x, "x1": x, "xref": "x", "y0": 0, "y1": 1, "yref": "y domain", "line": line}


def mark_layer(layer: float) -> list[dict]:
    """A dotted line through what is in view."""
    return [upright(layer, color=LIGHT.accent, width=2, dash="dot")]


def value_line(y: float, since: float, to: float, **line: object) -> dict:
    """A line that marks a value from one x to another, so that names beyond are not struck through."""
    return {"type": "line", "x0": since, "x1": to, "y0": y, "y1": y, "line": line}
