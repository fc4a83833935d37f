"""The correction beside its controls."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from core.results.comparison import Interval
from core.results.verdicts import over_strengths
from core.show.figures.evaluation.changes import SYMBOLS, change_axis, change_table, in_logs
from core.show.figures.marks import DASHES, above, curve, here, line_labels, rule, see_through, whiskers
from core.show.figures.style import LIGHT, Chart, Palette, layout
from core.store.results import Array

PAPER_PERPLEXITY, PAPER_ACCURACY, PAPER_TARGET = -7.13, 1.02, 0.7
PAPER = "paper, second-hand; other models"
SHUFFLES = "shuffles"  # the control that is drawn as a range
ASIDE = 0.07  # of the strength: how far markers stand from each other where there is one strength alone


def correction(
    families: Mapping[str, Mapping[float, Sequence[Interval]]],
    base: str,
    shown: float | None,
    with_paper: bool,
    look: Palette = LIGHT,
    among: str = "",
) -> Chart:
    """Change against the base over strength: the correction, and each control in its place.

    Args:
        families: control -> strength -> changes in per cent; several for one strength (shuffles) are drawn as a range.
        base: its name.
        shown: the strength that is marked.
        with_paper: draw the paper's figure, a reference that was measured on other models.
        among: where the correction lies among its shuffles, in a sentence.
    """
    figure, ends, every = go.Figure(), {}, [0.0]
    measured = sorted({each for found in families.values() for each in found})
    last = measured[-1] if measured else 0.1
    step = ASIDE * last if len(measured) == 1 else 0.0
    for index, (name, found) in enumerate(families.items()):
        logs = _in_logs(found)
        if logs:
            every += np.concatenate([each.ravel() for each in logs.values()]).tolist()
            aside = step * (index - (len(families) - 1) / 2)
            ends[name] = _add_control(figure, name, logs, index, aside, look)
    beside = last + step * len(families) / 2
    rule(figure, 0, -0.03 * last, beside, color=look.guide, width=1.5)
    if with_paper:
        every.append(math.log1p(PAPER_PERPLEXITY / 100))
        _add_paper(figure, -0.03 * last, beside, look)
    axis = change_axis(np.array(every), f"change of perplexity against {base}, %")
    _add_ends(figure, ends, next(iter(families), ""), beside + 0.03 * last, np.ptp(axis["range"]) / 17, look)
    if shown:
        here(figure, shown, look, 1)
    figure.update_layout(
        xaxis={
            "title": "correction strength, sparsity (our parameter)",
            "range": [-0.03 * last, beside + 0.4 * last],
            "tickvals": _spaced(sorted({0.0, *measured})),
            "tickformat": "~g",
        },
        yaxis=axis,
    )
    rows = (
        (name, strength, one)
        for name, found in families.items()
        for strength, several in found.items()
        for one in several
    )
    layout(figure, height=440, top=28 if with_paper else 12)
    table, finding = change_table(rows, "control", "strength"), _finding(families, base, among)
    return Chart("correction", "The correction beside its controls", figure, finding, table)


def _spaced(values: Sequence[float]) -> list[float]:
    """Every value, or every other one and so on, so that at most seven are left."""
    return list(values[:: math.ceil(len(values) / 7)])


def _in_logs(found: Mapping[float, Sequence[Interval]]) -> dict[float, Array]:
    """Strength, ascending -> (changes, 3) values and ends on the axis, where every change is finite."""
    return {
        strength: np.array([in_logs(one) for one in several])
        for strength, several in sorted(found.items())
        if all(math.isfinite(one.value) for one in several)
    }


def _add_control(
    figure: go.Figure, name: str, logs: Mapping[float, Array], index: int, aside: float, look: Palette
) -> float:
    """A line over strengths, or a marker set aside where there is one strength alone; where it ends."""
    strengths, middle = list(logs), [float(np.median(each[:, 0])) for each in logs.values()]
    colour = look.accent if index == 0 else look.ink
    ranged = any(len(logs[each]) > 1 for each in strengths)
    low, high = (
        np.array([edge(logs[each][:, 0]) if ranged else logs[each][0, side] for each in strengths])
        for edge, side in ((np.min, 1), (np.max, 2))
    )
    x = [each + aside for each in strengths]
    if ranged:
        _add_range(figure, name, x, low, high, look)
    told = [f"{strength:g}: {100 * math.expm1(each):+.3g} %" for strength, each in zip(strengths, middle, strict=True)]
    figure.add_trace(
        curve(
            x, middle, name, f"{name}, strength %{{customdata}}", colour, 2.5 if index == 0 else 1.5,
            DASHES[index % len(DASHES)], {"size": 8, "symbol": SYMBOLS[index % len(SYMBOLS)]},
            error_y=None if ranged else whiskers(np.array(middle), low, high, look.undecided), customdata=told,
        )
    )  # fmt: skip
    return middle[-1]


def _add_range(figure: go.Figure, name: str, x: Sequence[float], low: Array, high: Array, look: Palette) -> None:
    """From the least to the greatest: a band over strengths; at one strength, where a band has no width, a bar."""
    shape = {"fill": "toself", "fillcolor": see_through(look.undecided, 0.25), "line": {"width": 0}}
    figure.add_scatter(
        x=[*x, *reversed(x)],
        y=[*high, *low[::-1]],
        mode="lines",
        hoverinfo="skip",
        name=f"{name}, range",
        **(shape if len(x) > 1 else {"line": {"color": see_through(look.undecided, 0.45), "width": 12}}),
    )


def _add_paper(figure: go.Figure, since: float, to: float, look: Palette) -> None:
    """A dashed line as far as the markers go, explained above the chart, where no marker is."""
    rule(figure, math.log1p(PAPER_PERPLEXITY / 100), since, to, color=look.ink, width=1, dash="dash")
    above(figure, f"dashed: {PAPER_PERPLEXITY:+.2f} %, {PAPER}", font={"size": 11, "color": look.ink})


def _add_ends(figure: go.Figure, ends: dict[str, float], first: str, x: float, gap: float, look: Palette) -> None:
    if not ends:
        return
    names = [f"<b>{name}</b>" if name == first else name for name in ends]
    colours = [look.accent if name == first else look.ink for name in ends]
    labels = line_labels(x, np.exp(list(ends.values())), names, colours, gap)
    labels.y = np.log(labels.y)
    figure.add_trace(labels)


def _finding(families: Mapping[str, Mapping[float, Sequence[Interval]]], base: str, among: str) -> str:
    own = {strength: several[0] for strength, several in next(iter(families.values()), {}).items() if several}
    said = [over_strengths(own, base), among]
    if any(each.certain for each in own.values()):
        said.append(f"Bars are 95 % intervals over windows{_spans(families.get(SHUFFLES, {}))}.")
    return " ".join(filter(None, said))


def _spans(shuffled: Mapping[float, Sequence[Interval]]) -> str:
    """How the shuffles are drawn, where there are several."""
    if max(map(len, shuffled.values()), default=0) < 2:
        return ""
    return f"; the {'band' if len(shuffled) > 1 else 'broad bar'} spans the shuffles"
