"""The race of the methods: sparsities over layers as small multiples, and what each was measured to cost."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.base.formats import capital, per_cent
from core.results.leaderboard import THIS, Runner, interval, tied
from core.results.verdicts import beside, verdict
from core.show.figures.axes import layer_axis, log_axis
from core.show.figures.labels import digits, percent
from core.show.figures.marks import remark, whiskers, words
from core.show.figures.style import LIGHT, Chart, Palette, colour, common, layout
from core.store.results import Array

LANE, TOP, FOOT = 62, 26, 52  # px: of one method, above the first, below the last
SPACE = 0.35  # between two lanes, in lanes
UNKNOWN = "not measured"


def _hue(one: Runner, look: Palette) -> str:
    return look.accent if one.kind == THIS else colour(one.kind, look)


def lanes(runners: Sequence[Runner], target: float, look: Palette = LIGHT) -> Chart:
    """Sparsity per layer of every method, a strip of bars each, on one scale."""
    layers, count = len(runners[0].sparsity), len(runners)
    # In one go: plotly takes milliseconds for each change to a figure of many axes.
    about = common(TOP + FOOT + LANE * count, top=TOP) | {"annotations": _heads(runners, look)}
    bars = [_bars(one, place, target, _hue(one, look)) for place, one in enumerate(runners, 1)]
    figure = go.Figure(bars, about | _axes(runners, target, look))
    table = pd.DataFrame({"layer": np.arange(layers), **{each.name: each.sparsity for each in runners}})
    finding = f"Bars up: layers that lose more than the target of {per_cent(target)}. Bars down: layers that lose less."
    return Chart("race", "Which layers does each method prune more?", figure, finding, table)


def _axes(runners: Sequence[Runner], target: float, look: Palette) -> dict[str, dict]:
    """The axes of every lane, the first at the top; layers are named below the last."""
    count, every = len(runners), np.concatenate([each.sparsity for each in runners])
    reach = 1.05 * max(0.02, float(np.abs(every - target).max()))
    under = layer_axis(len(runners[0].sparsity), "layer") | {"automargin": True, "zeroline": False}
    hidden = {"title": None, "showticklabels": False, "matches": f"x{_of(count)}"}
    beside = {"range": [-reach, reach], "showticklabels": False, "showgrid": False, "automargin": True}
    beside |= {"zeroline": True, "zerolinecolor": look.faint, "zerolinewidth": 1}
    tall = (1 - SPACE * (count - 1) / count) / count
    found = {}
    for place in range(1, count + 1):
        low = (count - place) * (tall + SPACE / count)
        found[f"yaxis{_of(place)}"] = beside | {"anchor": f"x{_of(place)}", "domain": [low, min(1.0, low + tall)]}
        found[f"xaxis{_of(place)}"] = under | {"anchor": f"y{_of(place)}"} | (hidden if place < count else {})
    return found


def _of(place: int) -> str:
    """How plotly numbers the axes of a lane."""
    return str(place) if place > 1 else ""


def _heads(runners: Sequence[Runner], look: Palette) -> list[dict]:
    """Each method over its lane."""
    where = [{"xref": f"x{_of(place)} domain", "yref": f"y{_of(place)} domain"} for place in range(1, len(runners) + 1)]
    return [remark(_titled(one, look), font={"size": 13}, **at) for one, at in zip(runners, where, strict=True)]


def _titled(one: Runner, look: Palette) -> str:
    """A method in its colour, and the range of its sparsities."""
    low, high = one.sparsity.min(), one.sparsity.max()
    ends = f"{percent(low)} to {percent(high)}" if high - low > 1e-9 else percent(low)
    return f'<b><span style="color:{_hue(one, look)}">{one.name}</span></b>  {ends}'


def _bars(one: Runner, place: int, target: float, hue: str) -> go.Bar:
    x, y = np.arange(len(one.sparsity)), one.sparsity - target
    said = f"{one.name}, layer %{{x}}: %{{customdata:.1f}} % zeros<extra></extra>"
    return go.Bar(
        x=x, y=y, customdata=100 * one.sparsity, marker={"color": hue}, name=one.name, hovertemplate=said,
        xaxis=f"x{_of(place)}", yaxis=f"y{_of(place)}",
    )  # fmt: skip


def finish(runners: Sequence[Runner], dense: float, look: Palette = LIGHT) -> Chart:
    """Measured perplexity of every method with its interval, a row each; those not measured are named so.

    Args:
        dense: perplexity of the unpruned model; NaN while it is not measured.
    """
    value = np.array([each.perplexity for each in runners])
    ends = np.array([interval(each.measured) if each.measured else (math.nan, math.nan) for each in runners])
    axis = log_axis(np.concatenate([value, ends.ravel()]), "perplexity (log scale)")
    low, high = axis["range"]
    hues = [_hue(each, look) for each in runners]
    figure = go.Figure([_dot(*each) for each in zip(range(len(runners)), runners, value, ends, hues, strict=True)])
    rows = np.arange(len(runners)) - 0.36
    figure.add_trace(words([10.0**low] * len(runners), rows, list(map(_brief, runners)), hues))
    axis["range"] = [low - 0.02 * (high - low), high + 0.03 * (high - low)]
    figure.update_layout(xaxis=axis, yaxis={"tickvals": [], "showgrid": False, "range": [len(runners) - 0.5, -0.6]})
    layout(figure, height=TOP + FOOT + LANE * len(runners), top=TOP)
    return Chart("finish", "What does each method cost?", figure, _lowest(runners, dense), _table(runners))


def _dot(place: int, one: Runner, value: float, ends: Array, hue: str) -> go.Scatter:
    x, low, high = (np.array([each]) for each in (value, *ends))
    return go.Scatter(
        x=x, y=[place], error_x=whiskers(x, low, high, hue, 2), mode="markers", marker={"size": 12, "color": hue},
        hovertemplate=f"{one.name}: {_said(one)}<extra></extra>", name=one.name,
    )  # fmt: skip


def _brief(one: Runner) -> str:
    """Name, perplexity and change, over a method's dot."""
    if math.isnan(one.perplexity):
        return f"<b>{one.name}</b>  {_missing(one)}"
    change = one.measured.against_uniform
    ends = f"  {change.quoted.value:+.0f} %" if change and math.isfinite(change.quoted.value) else ""
    return f"<b>{one.name}</b>  {digits(one.perplexity, 3)}{ends}"


def _missing(one: Runner) -> str:
    """Why there is no perplexity."""
    return one.measured.trouble if one.measured else UNKNOWN


def _said(one: Runner) -> str:
    if math.isnan(one.perplexity):
        return _missing(one)
    change = one.measured.against_uniform
    return digits(one.perplexity, 4) + ("" if change is None else f", {beside(change, 'uniform')}")


def _lowest(runners: Sequence[Runner], dense: float) -> str:
    """What dots and bars are, and the unpruned model beside the lowest of them."""
    methods = [each.measured for each in runners if each.kind != THIS]
    twice = [each for each in runners if each.kind == THIS and each.measured in methods]  # the method that it is
    known = [each for each in runners if math.isfinite(each.perplexity) and each not in twice]
    if not known:
        return "None of these was measured."
    best, *others = sorted(known, key=lambda each: each.perplexity)
    said = f"{best.told} has the lowest perplexity, {digits(best.perplexity, 3)}"
    said += f", but {_tie(best, others[0])}" if others and tied(best, others[0]) else ""
    said += f"; the unpruned model has {digits(dense, 3)}" if math.isfinite(dense) else ""
    return f"{capital(said)}. Bars are 95 % intervals of the change against uniform."


def _tie(best: Runner, second: Runner) -> str:
    """Why the lowest is not called better than the next: its perplexity may be over luckier calibration seeds."""
    if verdict(best.measured.against(second.measured).quoted) == "costs":
        return f"is worse than {second.told} over the calibration seeds that both have"
    return f"is not certainly better than {second.told}"


def _table(runners: Sequence[Runner]) -> pd.DataFrame:
    cells = []
    for one in runners:
        low, high = interval(one.measured) if one.measured else (math.nan, math.nan)
        change = one.measured.against_uniform if one.measured else None
        seeds = len(one.measured.results) if one.measured else 0
        cells.append((one.name, one.perplexity, low, high, change.value if change else math.nan, seeds))
    return pd.DataFrame(cells, columns=["method", "perplexity", "95% low", "95% high", "against uniform, %", "seeds"])
