"""Costs of layers and allocations: responses of one layer, additive estimates, and how far these can be trusted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.base.errors import UserError
from core.base.formats import capital, digits, per_cent
from core.kinds.treatments import Treatment
from core.plan import responses as measured_responses
from core.plan.estimates import estimate
from core.results.comparison import rank_correlation
from core.results.evaluations import Evaluations, Slice
from core.show.figures.axes import limits, log_axis, row_axis, share_axis
from core.show.figures.style import (
    LIGHT,
    Chart,
    Palette,
    above,
    curve,
    dots,
    here,
    layout,
    line_gap,
    line_labels,
    readable,
)
from core.store.profiles import Profile
from core.store.results import Array

FEW = 6  # pairs below which a rank correlation says little
NAMED = 3  # layers at each end of the order that get a label


# --- one layer ----------------------------------------------------------------------------------------------------


def responses(sparsities: Array, harm: Array, unit: str, pruner: str, look: Palette = LIGHT) -> Chart:
    """Harm over sparsity, a line per layer; the layers that suffer most and least are named.

    Args:
        sparsities: (measured,) ascending.
        harm: (layers, measured) when that layer alone is pruned, mean over sequences; what is not above 0 is not drawn.
        unit: of the harm.
        pruner: whose residuals they are.
    """
    layers = len(harm)
    shown = np.where(harm > 0, harm, np.nan)
    order = [int(layer) for layer in np.argsort(-np.nan_to_num(shown[:, -1], nan=-np.inf), kind="stable")]
    order = [layer for layer in order if np.isfinite(shown[layer, -1])]
    most, least = order[:NAMED], [each for each in order[-NAMED:] if each not in order[:NAMED]]
    figure = go.Figure()
    for layer in sorted(range(layers), key=lambda each: each in (*most, *least)):
        colour = look.accent if layer in most else look.ink if layer in least else look.faint
        figure.add_trace(_line(layer, sparsities, shown[layer], colour, unit))
    if order:
        named = [*most, *least]
        colours = [look.accent] * len(most) + [look.ink] * len(least)
        heights = [float(shown[layer, -1]) for layer in named]
        texts = [f"layer {layer}" for layer in named]
        figure.add_trace(
            line_labels(100 * sparsities[-1] + 1, heights, texts, colours, line_gap(shown, 0.045, 0.2), look)
        )
    across = share_axis(f"sparsity of the one pruned layer, % zeros ({pruner})", sparsities, 0.05, 0.2)
    figure.update_layout(xaxis=across, yaxis=log_axis(f"{unit} (log scale)", shown).drawn)
    table = pd.DataFrame(harm, columns=[f"at {per_cent(each)}" for each in sparsities])
    table.insert(0, "layer", np.arange(layers))
    title = f"What pruning one layer alone does: curves from {pruner}"
    return Chart("responses", title, layout(figure, height=440), _response_said(sparsities, shown, order, unit), table)


def _line(layer: int, sparsities: Array, harm: Array, colour: str, unit: str) -> go.Scatter:
    said = f"layer {layer} at %{{x:g}}%: %{{y:.3g}} ({unit})"
    return curve(100 * sparsities, harm, f"layer {layer}", said, colour, marker={"size": 5})


def _response_said(sparsities: Array, harm: Array, order: list[int], unit: str) -> str:
    if not order:
        return "No layer does measurable harm when it is pruned alone."
    first, last = order[0], order[-1]
    at = f"At {per_cent(sparsities[-1])} zeros"
    if first == last:
        return f"{at} layer {first} alone does {digits(harm[first, -1])} ({unit})."
    ratio = harm[first, -1] / harm[last, -1]
    among = "" if len(order) == len(harm) else "of those that do measurable harm "
    return (
        f"{at} pruning layer {first} alone does most, {digits(harm[first, -1])} ({unit}); {among}layer {last} least, "
        f"{digits(harm[last, -1])}: a factor of {digits(ratio)} between them."
    )


# --- allocations --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Estimate:
    """The additive estimate of an allocation; a range where several are meant."""

    name: str
    value: float
    low: float
    high: float


def estimates(rows: Sequence[Estimate], shown: str, unit: str, look: Palette = LIGHT) -> Chart:
    """Additive estimates as points on one axis, lower is better.

    Args:
        rows: top to bottom; NaN where an allocation goes beyond what was measured.
        shown: the highlighted name.
        unit: of the estimate.
    """
    known = [each for each in rows if np.isfinite(each.value)]
    values = np.array([[each.value, each.low, each.high] for each in known]).reshape(-1, 3)
    names, told = [each.name for each in known], [digits(each.value, 3) for each in known]
    hues = [look.accent if name == shown else look.ink for name in names]
    figure = dots("additive estimate", names, values, told, hues, look)
    title = f"additive estimate: {unit}".replace(", curves", ",<br>curves")  # two short lines, for a phone
    figure.update_layout(xaxis=_axis(values, title), yaxis=row_axis(names))
    table = pd.DataFrame([(each.name, each.value, each.low, each.high) for each in rows])
    table.columns = ["allocation", unit, "least", "greatest"]
    return Chart("estimates", "What is this allocation estimated to cost?", figure, _cheapest(known, shown), table)


def _cheapest(known: Sequence[Estimate], shown: str) -> str:
    best = min(known, key=lambda each: each.value)
    mine = next((each for each in known if each.name == shown), None)
    if mine is None:
        return (
            f"{capital(shown)} has no estimate: it goes beyond the largest sparsity measured. Of the others, "
            f"{best.name} has the lowest ({digits(best.value, 3)})."
        )
    others = [f"{_ratio(mine.value, each.value)} {each.name}" for each in known if each.name != shown]
    return f"Estimated harm: {', '.join(others)}." if others else "There is nothing to compare the estimate with."


def _ratio(mine: float, other: float) -> str:
    change = mine / other - 1 if other else 0.0
    if abs(change) < 5e-4:
        return "the same as"
    return f"{per_cent(abs(change), 1)} {'more' if change > 0 else 'less'} than"


def trusted(
    names: Sequence[str],
    estimated: Array,
    measured: Array,
    shown: Sequence[str],
    unit: str,
    within: str,
    look: Palette = LIGHT,
    *,
    uniform: Sequence[str] = (),
    now: float | None = None,
) -> Chart:
    """The estimate of each allocation against what it was measured to cost, of one target and pruner.

    Args:
        estimated: (allocations,) in the unit; NaN beyond what was measured of single layers.
        measured: (allocations,) rise of the loss over the dense model, nats/token; NaN where it is not finite.
        shown: names of the allocation in view.
        within: the target and pruner.
        uniform: names of the allocation that all are compared with.
        now: the estimate of the allocation in view where it was not measured.
    """
    known = np.isfinite(estimated) & np.isfinite(measured)
    inside = [name for name, placed in zip(names, known, strict=True) if placed]
    rho, n = rank_correlation(estimated, measured)
    reach = np.append(estimated[known], [] if now is None else [now])
    colours = {name: look.ink for name in uniform} | {name: look.accent for name in shown}
    figure = go.Figure(_points(estimated[known], measured[known], inside, colours, look))
    figure.update_layout(
        xaxis=_axis(reach, f"additive estimate: {unit}"),
        yaxis={"title": "measured: loss above dense, nats/token", "rangemode": "normal"},
    )
    if now is not None:
        here(figure, now, look)
        x, accent = math.log10(now) if figure.layout.xaxis.type == "log" else now, readable(look.accent, look)
        above(figure, "in view, not measured", x, "center", xref="x", font={"size": 11, "color": accent})
    table = pd.DataFrame({"allocation": list(names), f"estimated, {unit}": estimated, "measured, nats/token": measured})
    layout(figure, height=400, right=60, top=12 if now is None else 28)
    beyond, broken = int((~np.isfinite(estimated)).sum()), int((np.isfinite(estimated) & ~np.isfinite(measured)).sum())
    said = [] if now is None else [f"The allocation in view is estimated at {digits(now, 3)} and not measured."]
    finding = " ".join([_trust_said(rho, n, within), *_unplaced(beyond, broken), *said])
    return Chart("trust", "Estimate against measured", figure, finding, table)


def _points(x: Array, y: Array, names: Sequence[str], colours: dict[str, str], look: Palette) -> go.Scatter:
    """Allocations; those with a colour of their own with their names, all with them under the finger."""
    return go.Scatter(
        x=x,
        y=y,
        mode="markers+text",
        text=[f"<b>{name}</b>" if name in colours else "" for name in names],
        textposition="top center",
        textfont={"size": 11, "color": look.ink},
        cliponaxis=False,
        marker={"size": 10, "color": [colours.get(name, look.undecided) for name in names]},
        customdata=list(names),
        hovertemplate="%{customdata}: estimated %{x:.4g}, measured %{y:.4g}<extra></extra>",
        name="allocations",
    )


def _axis(values: Array, title: str) -> dict:
    """Logarithmic where the values are far enough apart for that."""
    low, high = limits(values)
    return log_axis(title, values).drawn if high / low > 1.5 and (values > 0).all() else {"title": title}


def _unplaced(beyond: int, broken: int) -> list[str]:
    """How many allocations have no place in the figure, and why."""
    reasons = {"a layer goes beyond the largest sparsity measured": beyond, "the loss is not a number": broken}
    return [f"{count} more cannot be placed because {why}." for why, count in reasons.items() if count]


def _trust_said(rho: float, n: int, within: str) -> str:
    if math.isnan(rho):
        return f"Too little to tell: n = {n} allocations of {within}, and a rank correlation needs 3 that differ."
    text = f"Rank correlation {digits(rho)} over n = {n} allocations of {within}"
    if n < FEW:
        return f"{text}: too few to lean on."
    how = "the estimate ranks them well" if rho >= 0.8 else "a weak guide" if rho >= 0.4 else "no guide here"
    return f"{text}: {how}."


def trust(
    found: Evaluations,
    part: Slice,
    profile: Profile,
    objective: str,
    now: Array | None = None,
    look: Palette = LIGHT,
) -> Chart:
    """The additive estimate of every setting of a slice against what it was measured to cost.

    Args:
        now: (layers,) or (layers, linears), the allocation in view; None: none is marked.

    Raises:
        UserError: the profile holds too few residuals of this pruner, or the dense model is not measured.
    """
    curves = part.treatment if part.treatment.name in measured_responses.pruners(profile) else Treatment(part.pruner)
    measured_responses.measured(profile, curves.name, objective)
    if found.dense is None:
        raise UserError("the dense model is not measured yet")
    settings = found.within(part)
    estimated = np.array([_estimate(each.planned, profile, objective, curves.name) for each in settings])
    measured = np.array([each.loss for each in settings]) - found.dense.loss
    marked = [] if now is None else [each.name for each in settings if _alike(each.planned, now)][:1]
    mine = math.nan if now is None or marked else _estimate(now, profile, objective, curves.name)
    uniform = [each.name for each in settings if each.setting == each.setting.uniform]
    unit = f"{measured_responses.NAMES[objective]}, curves from {curves.label}"
    return trusted(
        [each.name for each in settings],
        estimated,
        measured,
        marked,
        unit,
        part.name,
        look,
        uniform=uniform,
        now=mine if np.isfinite(mine) else None,
    )


def _alike(planned: Array, now: Array) -> bool:
    """Whether two allocations ask the same of a pruner."""
    return planned.shape == now.shape and np.allclose(planned, now, rtol=0, atol=1e-6)


def _estimate(planned: Array, profile: Profile, objective: str, pruner: str) -> float:
    """NaN beyond what was measured, and for budgets per linear, whose estimates are not comparable with others."""
    if planned.ndim == 2 and not np.allclose(planned, planned[:, :1]):
        return math.nan
    try:
        return estimate(planned if planned.ndim == 1 else planned[:, 0], profile, objective, pruner)
    except UserError:
        return math.nan
