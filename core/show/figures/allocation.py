"""Allocations: what each method costs, and budgets of linears."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from core.base import capital, perplexity
from core.methods import BudgetUnit
from core.plan import layer_means
from core.results import THIS_ALLOCATION, RankedMethod, tied, verdict
from core.show.figures.axes import labels, log_axis
from core.show.figures.evaluation import dots
from core.show.figures.maps import by_layer, layer_table
from core.show.figures.palette import LIGHT, colour
from core.show.figures.style import Chart, colour_bar
from core.store import Array

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


# --- a budget for each linear ---------------------------------------------------------------------------------------


def linears(shares: Array, parameters: Array, names: Sequence[str], unit: BudgetUnit) -> Chart:
    """Zeros or bits of every linear, its mean over layers beside its row.

    Args:
        shares, parameters: (layers, linears) what each saves, and its weights, which count in the means.
        names: of the linears.
    """
    layers, count = shares.shape
    amounts, means = unit.amount(shares), unit.amount(layer_means(shares.T, parameters.T))
    hover = f"layer %{{x}}, %{{customdata[0]}}: %{{z:.4g}} {unit.unit}"
    figure = by_layer(amounts, names, hover, colour_bar(tickformat=".3g"), unit.unit, amounts, 0.11 * layers)
    beside = [f"{each:.2f}" for each in means]
    figure.add_trace(labels([layers - 0.3] * count, np.arange(count), beside, [LIGHT.ink] * count))
    table = layer_table(amounts, names)
    table.insert(1, "mean of the layer", unit.amount(layer_means(shares, parameters)))
    finding = _spared_sentence(amounts, means, names, unit.unit)
    return Chart("linears", f"{capital(unit.unit)} of every linear", figure, finding, table)


def _spared_sentence(amounts: Array, means: Array, names: Sequence[str], unit: str) -> str:
    """Sentence: the linears with the highest and the lowest mean, and the layer inside which they differ most."""
    most, least, widest = int(means.argmax()), int(means.argmin()), int(np.ptp(amounts, axis=1).argmax())
    if np.ptp(amounts) < 1e-9:
        return f"Every linear gets {means[0]:.3f} {unit}."
    low, high = amounts[widest].min(), amounts[widest].max()
    return (
        f"{names[least]} gets the fewest {unit} (mean {means[least]:.3f}, at the right of its row), {names[most]} the "
        f"most ({means[most]:.3f}); inside a layer they differ most in layer {widest}, from {low:.3f} to {high:.3f}."
    )
