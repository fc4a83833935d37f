"""Settings as rows of dots: changes of perplexity with their intervals, and benches."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.base import GUESSING, Estimate, capital, digits
from core.plan import Allocation
from core.results import Forecast, Result, Slice, Study, percent_text
from core.show.figures.axes import labels, limits, log_axis, margin, ratio_axis, row_axis, wrapped
from core.show.figures.palette import LIGHT
from core.show.figures.style import BOTTOM, Chart, curve, layout, points, upright, whiskers
from core.show.words import gain_sentences, perplexity_sentences
from core.store import Array

PAPER_PERPLEXITY, PAPER_ACCURACY = -7.13, 1.02
PAPER = "paper, second-hand; other models"
ABOVE = 8  # px over rows, whose axis has no title
WIDEST = 40  # characters of the title of an axis, which a phone has room for


def dots(
    of: str,
    names: Sequence[str],
    values: Array,
    texts: Sequence[str],
    x: dict,
    mark: float | None = None,
    colours: Sequence[str] | None = None,
) -> go.Figure:
    """A dot with its interval in each row, and its text right of all of them.

    Args:
        values: (names, 3) values and ends on the axis; NaN where they are not known.
        x: the axis.
        mark: has a line across all rows, and the texts stand right of it too.
    """
    colours = colours or [LIGHT.ink] * len(names)
    middle, low, high = values.T
    error = whiskers(middle, low, high, LIGHT.undecided)
    marker = {"size": 10, "color": colours}
    row = points(middle, names, of, "%{y}: %{customdata}", marker, error_x=error, customdata=texts)
    right = float(np.nanmax(values, initial=mark or 0.0))
    beside = labels([right] * len(names), names, [f"   {text}" for text in texts], colours)
    shapes = [] if mark is None else [upright(mark, color=LIGHT.guide, width=1.5)]
    rows = row_axis(names)
    lines = 1 + max((text.count("<br>") for text in rows["ticktext"]), default=0)
    height = ABOVE + BOTTOM + len(names) * max(34, 18 * lines)
    return layout([row, beside], x, rows, height, margin(texts), ABOVE, shapes=shapes)


def changes(rows: Mapping[str, Estimate], highlighted: str | None, against: str, title: str | None = None) -> Chart:
    """Perplexity as a multiple of another's with its paired interval, a row per setting, least first.

    Args:
        rows: name -> change in per cent, from `core.results.comparison.percent`.
        highlighted: the highlighted name.
        against: what they are compared with.
    """
    finite = [(name, row) for name, row in rows.items() if math.isfinite(row.value)]
    drawn = dict(sorted(finite, key=lambda pair: pair[1].value))
    ratios = 1 + np.array([row[:3] for row in drawn.values()]).reshape(-1, 3) / 100
    axis = ratio_axis(wrapped(f"perplexity ÷ that of {against} (log scale)", WIDEST), ratios).drawn
    hues = [LIGHT.accent if name == highlighted else LIGHT.ink for name in drawn]
    figure = dots("change", [*drawn], ratios, [*map(percent_text, drawn.values())], axis, 1.0, hues)
    table = _table(rows, "setting", "change, %", "low", "high", "windows or seeds")
    title = title or f"Change of perplexity against {against}"
    return Chart("changes", title, figure, perplexity_sentences.tally(rows.values(), "setting", against), table)


def measured(rows: Mapping[str, Estimate], unit: str, title: str, finding: str) -> Chart:
    """A number with its interval in each row.

    Args:
        unit: one of `core.show.words.gain_sentences`; factors stand on a log scale around 1, all else around 0.
    """
    ends = np.array([row[:3] for row in rows.values()])
    texts = [gain_sentences.value(row, unit) for row in rows.values()]
    mark, axis = 1.0, ratio_axis("factor (log scale)", ends).drawn
    if unit != gain_sentences.FACTOR:
        mark, axis = 0.0, {"title": unit, "range": [min(0.0, ends.min()) - 0.05, max(0.0, ends.max()) + 0.05]}
    figure = dots("measured", [*rows], ends, texts, axis, mark)
    return Chart("measured", title, figure, finding, _table(rows, "what", unit, "95% low", "95% high", "n"))


def _table(rows: Mapping[str, Estimate], *columns: str) -> pd.DataFrame:
    return pd.DataFrame([(name, *row) for name, row in rows.items()], columns=columns)


def bench(table: pd.DataFrame, column: str, title: str) -> Chart:
    """A dot for each row that has a number in the column; the first column names it."""
    rows_known = table.dropna(subset=[column])
    names, values = rows_known.iloc[:, 0].tolist(), rows_known[column].to_numpy(float)
    texts = [digits(value, 3) for value in values]
    rows, axis = values[:, None] * [1, np.nan, np.nan], {"title": column, "rangemode": "tozero"}
    figure = dots("bench", names, rows, texts, axis)
    low, high = values.argmin(), values.argmax()
    finding = f"{capital(column)}: {texts[low]} ({names[low]}) to {texts[high]} ({names[high]})."
    return Chart("bench", title, figure, finding, table)


def training(tokens: Array, nats: Array) -> Chart:
    """Divergence on the windows held back while a model is trained, whose best weights are kept.

    Args:
        tokens: (looks,) trained on at each look, those to come included.
        nats: (looks so far,) KL(dense || model), nats/token.
    """
    done, last, best = tokens[: len(nats)], tokens[-1], int(nats.argmin())
    marker = {"color": [LIGHT.accent if each == nats[best] else LIGHT.ink for each in nats], "size": 8}
    line = curve(done, nats, "held back", "%{x:,} tokens: %{y:.4g} nats/token", LIGHT.ink, marker=marker)
    x = {"title": "tokens trained on", "range": [-0.03 * last, 1.03 * last], "showgrid": False}
    figure = layout([line], x, log_axis("KL to the dense model, nats/token (log scale)", nats).drawn)
    first, least = (digits(nats[at], 3) for at in (0, best))
    finding = f"On windows held back, the KL to the dense model is {first} nats/token before training"
    finding += f" and {least} after {done[best]:,.0f} tokens; the weights from there are kept." if best else "."
    table = pd.DataFrame({"tokens trained on": done, "KL, nats/token": nats})
    return Chart("training", "Divergence while training", figure, finding, table)


# --- of a slice, drawn once for all readers ------------------------------------------------------------------------


@lru_cache
def against_uniform(study: Study, part: Slice, current: Result | None) -> Chart | None:
    """The methods of a slice, and the correction in view, against uniform; None where there is nothing but uniform."""
    methods = [one for one in study.within(part) if one.uniform and (not one.strength or one is current)]
    rows = {one.name: one.against_uniform.quoted for one in methods}
    if not any(np.isfinite(row.value) for row in rows.values()):
        return None
    return changes(rows, current.name if current else None, "uniform")


def corrected_bases(study: Study, part: Slice) -> list[Result]:
    """Settings that a correction was measured of, in order."""
    return [one for one in study.within(part) if study.corrections(one)]


@lru_cache
def correction(study: Study, base: Result, current: Result | None) -> Chart:
    """The correction of a base at every strength, and its controls, each against the base."""
    changed = {one: one.against(base).windows for one in study.corrections(base)}
    rows = {one.name: change for one, change in changed.items()}
    chart = changes(rows, current.name if current else None, base.name, "The correction beside its controls")
    findings = [
        perplexity_sentences.tally([each for one, each in changed.items() if one.control == control], what, base.name)
        for control, what in (("none", "measured strength"), ("shuffled", "shuffle"))
    ]
    return replace(chart, name="correction", finding=" ".join(filter(None, findings)))


# --- predicted perplexities as curves: only values that mean something, with intervals that fit the picture ----------

BEYOND = 3.0  # how far an interval is drawn beyond the predicted and measured values


def sensible(perplexities: Array) -> Array:
    """Perplexities, NaN where a model does no more than guess."""
    return np.where(perplexities < GUESSING, perplexities, np.nan)


def with_band(costs: Estimate, points: Sequence[float]) -> tuple[Array, list[Array]] | None:
    """Predicted perplexities and both ends of their interval, cut to the picture; None: none is known.

    Args:
        points: measured values in the same picture.
    """
    middle, *ends = sensible(np.array(costs[:3]))
    if not np.isfinite(middle).any():
        return None
    low, high = limits(middle, points)
    return middle, [np.clip(each, low / BEYOND, high * BEYOND) for each in ends]


def sparsities(allocations: Iterable[Allocation]) -> Array:
    """Sparsity of the layers of allocations, (allocations, layers)."""
    return np.stack([each.sparsity for each in allocations])


def costs_of(forecast: Forecast, allocations: Iterable[Allocation]) -> Estimate:
    """Predicted perplexities of allocations."""
    return forecast.perplexities(np.stack([each.exact for each in allocations]))
