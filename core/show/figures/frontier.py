"""Size against loss: the frontier of a model, measured points solid, predicted ones hollow; forms of a file."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from core.base import digits, megabytes, per_cent
from core.results import Frontier, Point
from core.show.figures.axes import LETTER, Axis, log_axis, padded_axis
from core.show.figures.palette import LIGHT
from core.show.figures.style import Chart, layout, points, upright, whiskers
from core.show.words import study_lines
from core.store import Array

PHONE = np.array([290, 220])  # px of the plot on a phone: names that are apart there are apart on every screen
SIDES = {
    "middle right": (1, 0), "top center": (0, 1), "top right": (1, 1), "bottom center": (0, -1), "middle left": (-1, 0),
    "bottom left": (-1, -1),
}  # fmt: skip
FLOOR = 3e-4  # nats: the dense model, whose divergence is 0, stands there on a logarithmic axis


def frontier(ways: Frontier, chosen: Point, rival: Point | None, goal: float | None) -> Chart:
    """Every plain level, the plans of least harm and the chosen point.

    Args:
        rival: uniform at the same amount; None where the chosen one is uniform.
        goal: the amount that was asked for, a line.
    """
    every = [ways.dense, *ways.plain, *ways.plans]
    scale, write = (1e-6, lambda each: f"{each:,g} MB") if ways.in_bytes else (100, lambda each: f"{each:g} %")
    amounts = np.array([each.amount for each in every]) * scale
    x = log_axis("all weights, MB (log scale)", amounts) if ways.in_bytes else padded_axis("zeros, %", 0.05, amounts)
    floor = max(FLOOR, 0.5 * min(each.kl.value for each in every[1:]))
    y = log_axis(
        "divergence from the dense model, nats (log scale)", np.array([floor, max(each.kl.high for each in every)])
    )
    groups = {"plain": (ways.dense, *ways.plain), "by measured harm": ways.plans, "recommended": (chosen,)}
    traces = [_trace(name, group, scale, floor, write) for name, group in groups.items()]
    traces[1].update(mode="lines+markers", line={"color": LIGHT.guide, "width": 1.5, "dash": "dot"})
    marks = [] if goal is None else [upright(goal * scale, color=LIGHT.guide, width=1.5)]
    across = x.drawn if x.log else {"title": x.title, "range": [x.low, x.high]}
    if ways.in_bytes:
        _write_names(traces, [each.name for each in groups["plain"]], x, y)
    figure = layout(traces, across | {"showgrid": False}, y.drawn, 320, shapes=marks)
    unit = "MB" if ways.in_bytes else "% zeros"
    rows = [(each.name, each.amount * scale, *each.kl[:3], _origin(each)) for each in (*every, chosen)]
    table = pd.DataFrame(rows, columns=["way", unit, "KL, nats", "low", "high", "origin"]).drop_duplicates()
    title = "Size against loss" if ways.in_bytes else "Zeros against loss"
    return Chart("frontier", title, figure, recommendation(ways, chosen, rival), table)


def recommendation(ways: Frontier, chosen: Point, rival: Point | None) -> str:
    """`Q5_0 and Q4_0 mixed by measured harm, 99.7 MB: KL 0.11 [0.09, 0.14] nats, predicted; spread evenly: 0.19.`"""
    amount = megabytes(chosen.amount) if ways.in_bytes else per_cent(chosen.amount)
    text = f"{chosen.name}, {amount}: " if ways.in_bytes else f"{chosen.name}: "
    text += f"KL {_written(chosen)} nats from the dense model, {_origin(chosen)}"
    if rival is None or rival.kl == chosen.kl:
        return f"{text}. Nothing is predicted to do better than the same for every matrix."
    return f"{text}; spread evenly over the same: {_written(rival)}, {_origin(rival)}."


def _origin(point: Point) -> str:
    return "measured" if point.is_measured else "predicted"


def _written(point: Point) -> str:
    value, low, high = (digits(each, 2) for each in point.kl[:3])
    return value if point.is_measured else f"{value} [{low}, {high}]"


def _trace(name: str, group: tuple[Point, ...], scale: float, floor: float, write) -> go.Scatter:
    """Markers of points with their intervals; larger and coloured where they are recommended."""
    recommended = name == "recommended"
    value, low, high = (np.maximum([each.kl[at] for each in group], floor) for at in range(3))
    symbols = ["circle" if each.is_measured else "circle-open" for each in group]
    ink = [LIGHT.ink if each.is_measured else LIGHT.undecided for each in group]
    marker = {"symbol": symbols, "size": 18 if recommended else 9, "color": LIGHT.accent if recommended else ink}
    amounts, bars = [each.amount * scale for each in group], whiskers(value, low, high, LIGHT.undecided)
    texts = [
        f"{each.name}, {write(round(amount, 1))}: {_written(each)} nats, {_origin(each)}"
        for each, amount in zip(group, amounts, strict=True)
    ]
    return points(amounts, value, name, "%{customdata}", marker, error_y=bars, customdata=texts)


def _write_names(traces: list[go.Scatter], names: Sequence[str], x: Axis, y: Axis) -> None:
    """Write names beside the points of the first trace; a crowd leaves some to what is said on hover."""
    sides = beside(names, np.hstack([_boxes(each, x, y) for each in traces]).T)
    texts = [name if side else "" for name, side in zip(names, sides, strict=True)]
    at = [side or "top center" for side in sides]
    traces[0].update(mode="markers+text", text=texts, textposition=at, cliponaxis=False, textfont={"color": LIGHT.ink})


def _boxes(trace: go.Scatter, x: Axis, y: Axis) -> Array:
    """Middles and half sizes of points with their intervals, px on a phone, (4, points)."""
    high, low = trace.y + trace.error_y.array, trace.y - trace.error_y.arrayminus
    across, above, below = _pixels(x, trace.x, 0), _pixels(y, high, 1), _pixels(y, low, 1)
    half = trace.marker.size / 2
    return np.array([across, (above + below) / 2, np.full(len(across), half), (above - below) / 2 + half])


def _pixels(axis: Axis, values: ArrayLike, side: int) -> Array:
    return PHONE[side] * np.log(np.asarray(values) / axis.low) / np.log(axis.high / axis.low)


def beside(names: Sequence[str], boxes: Array) -> list[str]:
    """Side of its point that each name stands on, clear of all points and names before it; "" where none is.

    Args:
        boxes: middles and half sizes of points, px, (points, 4); the first are named.
    """
    chosen = []
    for name, (*middle, width, height) in zip(names, boxes, strict=False):
        half = np.array([LETTER * len(name) / 2, 7])
        places = {side: middle + towards * (half + np.array([width, height])) for side, towards in SIDES.items()}
        side = next((each for each, place in places.items() if _is_free(place, half, boxes)), "")
        if side:
            boxes = np.vstack([boxes, [*places[side], *half]])
        chosen.append(side)
    return chosen


def _is_free(middle: Array, half: Array, boxes: Array) -> bool:
    """True for a box on the plot that lies on no other; points that are not a number lie nowhere."""
    apart = (np.abs(middle - boxes[:, :2]) >= half + boxes[:, 2:]).any(1) | np.isnan(boxes).any(1)
    return bool(apart.all() and (np.abs(middle - PHONE / 2) + half <= PHONE / 2 + 14).all())


# --- forms that a model can be written in: bytes against perplexity, and against tokens a second ----------------------


def forms(sizes: Mapping[str, float], perplexities: Mapping[str, float], rates: Mapping[str, float]) -> Chart | None:
    """Both over one axis of bytes, or the one that is known of two forms or more; None where neither is.

    Args:
        sizes: bytes of all weights by form; the others by the same names.
        rates: tokens a second.
    """
    table = forms_table(sizes, perplexities, rates)
    drawn = [title for title in table.columns[1:] if table[title].count() > 1]
    if not drawn:
        return None
    x = log_axis("all weights, MB (log scale)", table["MB"])
    traces, axes = [], []
    for number, title in enumerate(drawn):
        known = table.dropna(subset=title)
        names, values = known.index.tolist(), known[title]
        sides = ["bottom center" if name == table.index[1] else "top center" for name in names]
        said = zip(names, known["MB"], values, strict=True)
        texts = [f"{name}, {size:,.1f} MB: {title} {digits(value, 3)}" for name, size, value in said]
        traces.append(points(
            known["MB"], values, title, "%{customdata}", {"color": LIGHT.ink, "size": 10}, text=names,
            mode="markers+text", textposition=sides, cliponaxis=False, customdata=texts, yaxis=f"y{number + 1}",
        ))  # fmt: skip
        high = 1 - number / len(drawn)
        axes.append(log_axis(f"{title} (log scale)", values).drawn | {"domain": [high - 0.8 / len(drawn), high]})
    figure = layout(traces, x.drawn, axes[0], 200 + 120 * len(drawn))
    if axes[1:]:
        figure.update_layout(yaxis2=axes[1] | {"anchor": "x"}, xaxis={"anchor": "y2"})
    title = f"Bytes against {' and '.join(drawn)}"
    return Chart("forms", title, figure, study_lines.on_zeros(sizes, perplexities), table)


def forms_table(
    sizes: Mapping[str, float], perplexities: Mapping[str, float], rates: Mapping[str, float]
) -> pd.DataFrame:
    """All numbers of the forms, a row each; NaN where one is not known."""
    megabytes = {name: size / 1e6 for name, size in sizes.items()}
    return pd.DataFrame({"MB": megabytes, "perplexity": perplexities, "tokens a second": rates}, [*sizes])
