"""Perplexity against target sparsity: a line per method."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.ask.naming import spoken
from core.base.formats import digits, per_cent
from core.results.comparison import FEWEST_WINDOWS
from core.results.evaluated import EvaluatedSetting
from core.results.evaluations import Evaluations, Slice, slice_of
from core.results.leaderboard import interval
from core.results.verdicts import not_a_number
from core.show.figures.axes import limits, log_axis, share_axis
from core.show.figures.style import (
    DASHES,
    LETTER,
    LIGHT,
    Chart,
    Palette,
    colour,
    curve,
    layout,
    line_labels,
    rule,
    whiskers,
    wrapped,
)
from core.store.results import Array

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x", "pentagon")
WIDEST = 16  # characters of a line of a name that a phone has room for
BARS = " Bars are 95 % intervals of the change against uniform."
HEIGHT, LINES = 460, 22  # pixels of the chart, and how many lines of names stand one under another in them


@dataclass(frozen=True, eq=False)
class Curve:
    """One method at the targets it was measured at."""

    name: str
    points: Mapping[float, Array]  # target -> (seeds,) perplexities
    shown: bool = False
    ends: Mapping[float, tuple[float, float]] = field(default_factory=dict)  # target -> 95 % interval against uniform
    kind: str | None = None  # of its base allocator, which has its own colour

    @property
    def means(self) -> dict[float, float]:
        """Target -> geometric mean over seeds, by target."""
        return {target: _mean(self.points[target]) for target in sorted(self.points)}

    @property
    def certain(self) -> bool:
        return any(map(math.isfinite, (end for ends in self.ends.values() for end in ends)))

    def colour(self, look: Palette) -> str:
        return look.accent if self.shown else colour(self.kind, look)


class End(NamedTuple):
    """Where a line ends, and what it is called there."""

    target: float
    value: float
    name: str
    colour: str


def of_evaluations(
    found: Evaluations, shown: EvaluatedSetting | None, look: Palette = LIGHT, part: Slice | None = None
) -> Chart:
    """Every method over its targets; of corrections that in view alone, for they have a chart of their own.

    Args:
        part: what is compared, over all targets, with the lowest there by whatever pruner; None: everything.
    """
    drawn: dict[tuple[str, bool], list[EvaluatedSetting]] = defaultdict(list)
    for each in _compared(found, part):
        mine = shown is not None and each.name == shown.name
        if each.finite and (mine or not each.strength):
            drawn[each.name, mine].append(each)
    curves = [
        Curve(
            name,
            {each.setting.allocation.target: each.perplexities for each in settings},
            shown=mine,
            ends={each.setting.allocation.target: interval(each) for each in settings},
            kind=settings[0].setting.allocation.base.kind,
        )
        for (name, mine), settings in drawn.items()
    ]
    dense = found.dense.perplexity if found.dense else math.nan
    broken = {f"{spoken(each.name)} at {per_cent(each.setting.allocation.target)}": each.broken
              for each in found.settings if not each.finite}  # fmt: skip
    few = found.spec.text.sequences < FEWEST_WINDOWS
    return perplexity(curves, dense, broken, look, few, part and part.target)


def _compared(found: Evaluations, part: Slice | None) -> list[EvaluatedSetting]:
    """What is pruned alike, over all targets, and the method that is lowest at the target by whatever pruner."""
    if part is None:
        return list(found.settings)
    here = [each for each in found.settings if each.finite and each.setting.allocation.target == part.target]
    lowest = {each.name for each in sorted(here, key=lambda each: each.perplexity)[:1]}
    return [each for each in found.settings if slice_of(each.setting).pruned == part.pruned or each.name in lowest]


def perplexity(
    curves: Sequence[Curve],
    dense: float,
    broken: Mapping[str, int | None] | None = None,
    look: Palette = LIGHT,
    few: bool = False,
    at: float | None = None,
) -> Chart:
    """Perplexity over target sparsity on a log axis: a line per method through the mean of its seeds.

    Bars are 95 % intervals of the change against uniform, so uniform has none.

    Args:
        dense: perplexity of the dense model; NaN while it is not measured.
        broken: name -> first layer whose output is not finite, of the settings that cannot be drawn.
        few: whether too few windows were read to say which of two perplexities is less.
        at: the target that the finding speaks of; None: the last.
    """
    finite = [{target: row for target, row in each.points.items() if np.isfinite(row).all()} for each in curves]
    known = [replace(each, points=points) for each, points in zip(curves, finite, strict=True) if points]
    order = sorted(range(len(known)), key=lambda index: known[index].shown)
    figure = go.Figure([trace for index in order for trace in _traces(known[index], index, look)])
    targets = sorted({target for each in known for target in each.points}) or [0.7]
    across = share_axis("target sparsity, % zeros", targets, 0.06, 0.06)
    left, right = across["range"]
    every = np.array([dense, *(value for each in known for values in each.points.values() for value in values),
                      *(end for each in known for ends in each.ends.values() for end in ends)])  # fmt: skip
    if math.isfinite(dense):
        rule(figure, dense, left, 100 * targets[-1], color=look.guide, width=1.5, dash="dot")
    ends = _ends(known, dense, targets[-1], look)
    lines = max(LINES, sum(1 + each.name.count("<br>") for each in ends))
    _add_labels(figure, ends, right, limits(every), lines, look)
    figure.update_layout(xaxis=across, yaxis=log_axis("perplexity (log scale)", every).drawn)
    said = _ranked(known, dense, broken or {}, few, at)
    said += BARS if any(each.certain for each in known) else ""
    layout(figure, height=HEIGHT * lines // LINES, right=8 + LETTER * WIDEST)
    return Chart("perplexity", "Perplexity against target sparsity", figure, said, _table(curves))


def _table(curves: Sequence[Curve]) -> pd.DataFrame:
    rows = [
        (each.name, target, _mean(values), float(values.min()), float(values.max()), len(values))
        for each in curves
        for target, values in each.points.items()
    ]
    return pd.DataFrame(rows, columns=["method", "target", "perplexity", "least seed", "greatest seed", "seeds"])


def _mean(values: Array) -> float:
    return float(np.exp(np.log(values).mean()))


def _traces(each: Curve, index: int, look: Palette) -> list[go.Scatter]:
    """A line through the means with its intervals, and a marker per seed."""
    hue, means = each.colour(look), each.means
    x, y = [100 * target for target in means], list(means.values())
    said = f"{each.name}, %{{x:g}} %: %{{y:.4g}}"
    ends = np.array([each.ends.get(target, (math.nan, math.nan)) for target in means])
    bars = whiskers(np.array(y), *ends.T, hue, 1.5) if each.certain else None
    line = curve(
        x, y, f"{each.name}, mean", said, hue, 3 if each.shown else 1.5, DASHES[index % len(DASHES)], error_y=bars
    )
    marker = {"color": hue, "size": 9 if each.shown else 7, "symbol": SYMBOLS[index % len(SYMBOLS)], "opacity": 0.85}
    points = [(100 * target, value) for target in means for value in each.points[target]]
    seeds = curve(*zip(*points, strict=True), each.name, said, hue, marker=marker)
    return [line, seeds.update(mode="markers")]


def _ends(curves: Sequence[Curve], dense: float, last: float, look: Palette) -> list[End]:
    """Where every line ends and its name there; one that ends before the last target says where it is."""
    found = [End(last, dense, f"dense {digits(dense, 3)}", look.ink)] if math.isfinite(dense) else []
    for each in curves:
        end = max(each.points)
        name = wrapped(each.name if end == last else f"{each.name} ({_reach(each)})", WIDEST)
        name = f"<b>{name}</b>" if each.shown else name
        found.append(End(end, each.means[end], name, each.colour(look)))
    return found


def _add_labels(
    figure: go.Figure, ends: Sequence[End], x: float, values: tuple[float, float], lines: int, look: Palette
) -> None:
    """Names right of the last target, apart from each other, and led to from where their lines end."""
    if not ends:
        return
    low, top = values[0], max(values[1], 1.5 * values[0])
    targets, heights, names, colours = zip(*ends, strict=True)
    named = line_labels(x, heights, names, colours, math.log(top / low) / lines, look, axis=(low, top))
    leaders = curve(  # from the end of every line to its name
        [x for target, to in zip(targets, named.x, strict=True) for x in (100 * target, to, None)],
        [y for value, to in zip(heights, named.y, strict=True) for y in (value, to, None)],
        "leaders", "", look.guide, 0.75, hoverinfo="skip",
    )  # fmt: skip
    figure.add_traces([leaders.update(hovertemplate=None), named])


def _reach(curve: Curve) -> str:
    """`50 %`, `50 to 70 %`, never broken: the targets that a curve was measured at."""
    first, last = min(curve.points), max(curve.points)
    said = per_cent(last) if first == last else f"{per_cent(first).removesuffix(' %')} to {per_cent(last)}"
    return said.replace(" ", "\u00a0")


def _ranked(
    curves: Sequence[Curve], dense: float, broken: Mapping[str, int | None], few: bool, at: float | None
) -> str:
    """The dense model's; who has the lowest and the highest at a target, or only how far they spread."""
    said = [f"Dense: {digits(dense, 3)}."] if math.isfinite(dense) else []
    at = max((target for each in curves for target in each.points), default=None) if at is None else at
    here = {each.name: each.means[at] for each in curves if at in each.points}
    if here:
        least, most = min(here, key=here.get), max(here, key=here.get)
        low, high = digits(here[least], 3), digits(here[most], 3)
        lowest, highest = spoken(least), spoken(most)
        spread = f"perplexities run from {low} to {high}; too few windows to rank them."
        if least == most:
            spread = f"the perplexity of {lowest} is {low}."
        elif not few:
            spread = f"{lowest} has the lowest perplexity, {low}; {highest} the highest, {high}."
        said.append(f"At {per_cent(at)} zeros {spread}")
    return " ".join([*said, *not_a_number(broken)]) or "Nothing is measured yet."
