"""The frontier of a model: size, or zeros, against divergence; measured points solid, predicted ones hollow."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.base import digits, megabytes, per_cent
from core.results import Frontier, Point
from core.show.figures.axes import labels, linear_axis, log_axis
from core.show.figures.palette import LIGHT
from core.show.figures.style import Chart, layout, points, upright, whiskers

SOLID, HOLLOW = "circle", "circle-open"
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
    x = linear_axis("all weights, MB" if ways.in_bytes else "zeros, %", amounts.min(), amounts.max(), "{:,g}".format)
    floor = max(FLOOR, 0.5 * min(each.kl.value for each in every[1:]))
    y = log_axis(
        "divergence from the dense model, nats (log scale)", np.array([floor, max(each.kl.high for each in every)])
    )
    groups = {"plain": (ways.dense, *ways.plain), "by measured harm": ways.plans, "recommended": (chosen,)}
    traces = [_trace(name, group, scale, floor, write) for name, group in groups.items()]
    traces[1].update(mode="lines+markers", line={"color": LIGHT.guide, "width": 1.5, "dash": "dot"})
    named = (ways.dense, *ways.plain) if ways.in_bytes else ()
    traces.append(
        labels([each.amount * scale for each in named], [max(each.kl.high, floor) for each in named],
               [each.name for each in named], [LIGHT.ink] * len(named), "top center")
    )  # fmt: skip
    marks = [] if goal is None else [upright(goal * scale, color=LIGHT.guide, width=1.5)]
    room = 0.05 * (x.high - x.low)
    across = {"title": x.title, "range": [x.low - room, x.high + 3 * room], "showgrid": False}
    figure = layout(traces, across, y.drawn, 320, shapes=marks)
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
    if rival is None:
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
    symbols = [SOLID if each.is_measured else HOLLOW for each in group]
    ink = [LIGHT.ink if each.is_measured else LIGHT.undecided for each in group]
    marker = {"symbol": symbols, "size": 18 if recommended else 9, "color": LIGHT.accent if recommended else ink}
    texts = [
        f"{each.name}, {write(round(each.amount * scale, 1))}: {_written(each)} nats, {_origin(each)}" for each in group
    ]
    return points(
        [each.amount * scale for each in group], value, name, "%{customdata}", marker,
        error_y=whiskers(value, low, high, LIGHT.undecided), customdata=texts,
    )  # fmt: skip
