"""Perplexity of methods: a line each over target sparsity, and all of them at one target."""

import math
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from operator import attrgetter

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.base import digits, frozen, per_cent, perplexity
from core.methods import ZEROS
from core.requests import spoken
from core.results import (
    FEWEST_WINDOWS,
    THIS_ALLOCATION,
    RankedMethod,
    Result,
    Slice,
    Study,
    interval,
    slice_of,
    tied,
    verdict,
)
from core.show.figures.axes import LETTER, line_labels, log_axis, share_axis, wrapped
from core.show.figures.evaluation import dots
from core.show.figures.palette import LIGHT, colour
from core.show.figures.style import SYMBOLS, Chart, curve, layout, points, value_line, whiskers
from core.show.words.perplexity_sentences import not_a_number

WIDEST = 16  # characters of a line of a name that a phone has room for
BARS = " Bars are 95 % intervals of the change against uniform."
HEIGHT, LINES = 460, 22  # pixels of the chart, and how many lines of names stand one under another in them


@frozen
class Curve:
    """One method at the targets it was measured at."""

    name: str
    settings: Sequence[Result]  # by target
    in_view: bool

    @property
    def targets(self) -> list[float]:
        return [one.target for one in self.settings]

    @property
    def ends(self) -> np.ndarray:
        """(targets, 2) 95 % interval against uniform; NaN where there is none."""
        return np.array([interval(one) for one in self.settings])

    @property
    def colour(self) -> str:
        return LIGHT.accent if self.in_view else colour(self.settings[0].setting.allocation.base.kind)


@lru_cache
def of_evaluations(study: Study, current: Result | None, part: Slice | None = None) -> Chart:
    """Perplexity over target sparsity on a log axis: a line per method through the mean of its seeds.

    Bars are 95 % intervals of the change against uniform, so uniform has none. Of corrections that in view alone is
    drawn, for they have a chart of their own.

    Args:
        part: what is compared, over all targets, with the lowest there by whatever pruner; None: everything.
    """
    drawn, mine = defaultdict(list), current and current.name
    for one in sorted(_compared(study, part), key=lambda one: one.target):
        if one.finite and (one.name == mine or not one.strength):
            drawn[one.name].append(one)
    curves = [Curve(name, settings, name == mine) for name, settings in drawn.items()]
    curves.sort(key=lambda curve: curve.in_view)
    dense = study.dense.perplexity if study.dense else math.nan
    results = [one for each in curves for one in each.settings]
    values = np.concatenate([[dense], *([*one.perplexities, *interval(one)] for one in results)])
    targets = sorted({one.target for one in results}) or [0.7]
    budget_unit = max(
        (one.setting.allocation.budget_unit for one in results), key=attrgetter("bits", "unit"), default=ZEROS
    )
    across = share_axis(
        "share of 16 bits that is saved, %" if budget_unit.bits else f"target, % {budget_unit.unit}", targets
    )
    start, end = across["range"]
    guide = value_line(dense, start, 100 * targets[-1], color=LIGHT.guide, width=1.5, dash="dot")
    names, lines = _names(curves, dense, targets[-1], end, values)
    traces = [trace for index, each in enumerate(curves) for trace in _traces(each, index)]
    y, shapes = log_axis("perplexity (log scale)", values).drawn, [guide] * math.isfinite(dense)
    figure = layout(traces + names, across, y, HEIGHT * lines // LINES, 8 + LETTER * WIDEST, shapes=shapes)
    finding = _ranked(study, results, part.target if part else targets[-1])
    finding += BARS * any(np.isfinite(each.ends).any() for each in curves)
    return Chart("perplexity", "Perplexity against target sparsity", figure, finding, _table(curves))


def _compared(study: Study, part: Slice | None) -> list[Result]:
    """Settings pruned alike, over all targets, and the method that is lowest at the target by whatever pruner."""
    if part is None:
        return list(study.settings)
    counts = part.treatment.budget_unit.phrase(part.target)
    here = [one for one in study.settings if one.finite and one.level == counts]
    lowest = {one.name for one in sorted(here, key=lambda one: one.perplexity)[:1]}
    return [one for one in study.settings if slice_of(one.setting).pruned == part.pruned or one.name in lowest]


def _table(curves: Sequence[Curve]) -> pd.DataFrame:
    rows = [
        (each.name, one.target, one.perplexity, one.perplexities.min(), one.perplexities.max(), len(one.losses))
        for each in curves
        for one in each.settings
    ]
    return pd.DataFrame(rows, columns=["method", "target", "perplexity", "least seed", "greatest seed", "seeds"])


def _traces(each: Curve, index: int) -> list[go.Scatter]:
    """A line through the means with its intervals, and a marker per seed."""
    hue, hover = each.colour, f"{each.name}, %{{x:g}} %: %{{y:.4g}}"
    means = np.array([one.perplexity for one in each.settings])
    low, high = each.ends.T
    bars = whiskers(means, low, high, hue, 1.5)
    width, symbol = 3 if each.in_view else 1.5, SYMBOLS[index % len(SYMBOLS)]
    line = curve(100 * np.array(each.targets), means, f"{each.name}, mean", hover, hue, width, error_y=bars)
    seeds = np.array([(100 * one.target, value) for one in each.settings for value in one.perplexities])
    marker = {"color": hue, "symbol": symbol, "size": 9 if each.in_view else 7, "opacity": 0.85}
    return [line, points(seeds[:, 0], seeds[:, 1], each.name, hover, marker)]


def _names(
    curves: Sequence[Curve], dense: float, last: float, x: float, values: np.ndarray
) -> tuple[list[go.Scatter], int]:
    """Names right of the last target, apart from each other, with leaders from where their lines end.

    Returns:
        Traces, and how many lines of names have to fit one under another.
    """
    placed = [(last, dense, f"dense {digits(dense, 3)}", LIGHT.ink)] if math.isfinite(dense) else []
    for each in curves:
        one = each.settings[-1]
        name = wrapped(each.name if one.target == last else f"{each.name} ({_reach(each)})", WIDEST)
        placed.append((one.target, one.perplexity, f"<b>{name}</b>" if each.in_view else name, each.colour))
    if not placed:
        return [], LINES
    targets, heights, names, colours = zip(*placed, strict=True)
    lines = max(LINES, sum(1 + name.count("<br>") for name in names))
    named = line_labels(x, heights, names, colours, values)
    leaders = curve(
        [at for target, to in zip(targets, named.x, strict=True) for at in (100 * target, to, None)],
        [at for value, to in zip(heights, named.y, strict=True) for at in (value, to, None)],
        "leaders", "", LIGHT.guide, 0.75, hoverinfo="skip",
    )  # fmt: skip
    return [leaders, named], lines


def _reach(curve: Curve) -> str:
    """`50 %`, `50 to 70 %`, never broken: the targets that a curve was measured at."""
    first, last = curve.targets[0], curve.targets[-1]
    text = per_cent(last) if first == last else f"{per_cent(first).removesuffix(' %')} to {per_cent(last)}"
    return text.replace(" ", "\u00a0")


def _ranked(study: Study, results: Sequence[Result], target: float) -> str:
    """The dense model's; who has the lowest and the highest at a target, or only how far they spread; what broke."""
    sentences = [f"Dense: {digits(study.dense.perplexity, 3)}."] if study.dense and study.dense.finite else []
    here = sorted((one for one in results if one.target == target), key=lambda one: one.perplexity)
    if here:
        low, high = (digits(one.perplexity, 3) for one in (here[0], here[-1]))
        lowest, highest = (spoken(one.name) for one in (here[0], here[-1]))
        spread = f"{lowest} has the lowest perplexity, {low}; {highest} the highest, {high}."
        if len(here) == 1:
            spread = f"the perplexity of {lowest} is {low}."
        elif study.spec.text.sequences < FEWEST_WINDOWS:
            spread = f"perplexities run from {low} to {high}; too few windows to rank them."
        sentences.append(f"At {here[0].level} {spread}")
    return " ".join([*sentences, *not_a_number(study.settings)]) or "Nothing is measured yet."


# --- what each method costs at one target ----------------------------------------------------------------------------

UNKNOWN = "not measured"


def perplexity_by_method(ranked: Sequence[RankedMethod], dense: float) -> Chart:
    """Perplexity of every method with its interval, a row each: measured, else predicted as a hollow dot.

    Args:
        dense: perplexity of the unpruned model; NaN while it is not measured.
    """
    values = np.array([(each.perplexity, *each.interval) for each in ranked])
    names, axis = [each.name for each in ranked], log_axis("perplexity (log scale)", values).drawn
    hues = [LIGHT.accent if each.kind == THIS_ALLOCATION else colour(each.kind) for each in ranked]
    figure = dots("perplexity", names, values, [*map(_row_text, ranked)], axis, colours=hues)
    figure.data[0].marker.symbol = ["circle-open" if each.predicted else "circle" for each in ranked]
    changes = [each.measured and each.measured.against_uniform for each in ranked]
    columns = {
        "method": names,
        **dict(zip(("perplexity", "low", "high"), values.T, strict=True)),
        "predicted": [each.predicted is not None for each in ranked],
        "against uniform, %": [each.value if each else math.nan for each in changes],
        "seeds": [len(each.measured.results) if each.measured else 0 for each in ranked],
    }
    table = pd.DataFrame(columns)
    return Chart("leaderboard-perplexity", "What does each method cost?", figure, _lowest(ranked, dense), table)


def _row_text(one: RankedMethod) -> str:
    """Perplexity and change, or why there is none."""
    if math.isnan(one.perplexity):
        return one.measured.trouble if one.measured else UNKNOWN
    if one.predicted:
        return f"{perplexity(one.perplexity)}  predicted"
    change = one.measured.against_uniform
    ends = f"  {change.quoted.value:+.0f} %" if change and math.isfinite(change.quoted.value) else ""
    return f"{perplexity(one.perplexity)}{ends}"


def _lowest(ranked: Sequence[RankedMethod], dense: float) -> str:
    """Sentence: the method of the lowest perplexity beside the unpruned model's, and what dots and bars are."""
    finite = [each for each in ranked if math.isfinite(each.perplexity) and each.kind != THIS_ALLOCATION]
    if not finite:
        return "None of these was measured."
    best, *others = sorted(finite, key=lambda each: each.perplexity)
    verb = "is predicted to have" if best.predicted else "has"
    text = f"Of the methods, {best.spoken} {verb} the lowest perplexity, {perplexity(best.perplexity)}"
    text += f", but {_tie(best, others[0])}" if others and tied(best, others[0]) else ""
    text += f"; the unpruned model has {perplexity(dense)}" if math.isfinite(dense) else ""
    hollow = " Hollow dots are predicted, with 90 % intervals." if any(each.predicted for each in ranked) else ""
    return f"{text}. Bars are 95 % intervals of the change against uniform.{hollow}"


def _tie(best: RankedMethod, second: RankedMethod) -> str:
    """Reason not to call the lowest better than the next: its perplexity may be over luckier calibration seeds."""
    measured = best.measured and second.measured
    if measured and verdict(best.measured.against(second.measured).quoted) == "costs":
        return f"is worse than {second.spoken} over the calibration seeds that both have"
    return f"is not certainly better than {second.spoken}"
