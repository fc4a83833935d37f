"""Live picture of targets: predicted and measured perplexity of methods at each."""

from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from operator import add

from core.base import Estimate, UserError, capital, megabytes, per_cent, perplexity
from core.export.file_sizes import counts_of
from core.methods import METHODS, Treatment
from core.plan import taken
from core.requests import AllocationRequest, recipe_names, uniform
from core.results import Forecast
from core.show.figures import axes, colour
from core.show.figures.allocation import level_shades
from core.show.figures.evaluation import costs_at, costs_of, sensible, sparsities
from core.show.words import study_lines
from core.store import Profile, Store
from pages.ui import layout, url_state
from pages.ui.compress import current_allocation, picture
from pages.ui.compress.picture import HEAD_HEIGHT
from pages.ui.compress.settings import TARGETS, amounts
from pages.ui.live import figure
from pages.ui.live.overview import amount_axis

COMPARED = ("uniform", "owl", "response")
SIZE = "All weights take at most"


def show(request: AllocationRequest, forecast: Forecast, measured: float | None) -> None:
    """Draw the picture, whose slider is the page's target."""
    url_state.write()
    mine, at = request.uncorrected.replace(target=TARGETS[0]), {"target": TARGETS.index(request.target)}
    own = None if measured is None or request.correction.strength else (at["target"], measured)
    figure.draw(_picture(mine, forecast, own), at=at)


@lru_cache
def _picture(mine: AllocationRequest, forecast: Forecast, own: tuple[int, float] | None) -> figure.Figure:
    """Drawn once for all readers and targets.

    Args:
        own: target and measured perplexity of the setting in view, which is not among what predicts.
    """
    requests = {_as_measured(kind, forecast): colour(kind) for kind in COMPARED}
    names = [recipe_names.spoken(recipe_names.long(each)) for each in requests]
    if mine not in requests:
        requests[mine] = "accent"
        names.append(f"{recipe_names.spoken(recipe_names.long(mine))} as set below")
    costs = [_costs(forecast, each, TARGETS) for each in requests]
    measured = [_points(each, forecast) + [own] * (own is not None and each == mine) for each in requests]
    drawn = [sensible(each.value) for each in costs]
    listed = ", ".join(f"{name} {{{n}}}" for n, name in enumerate(names))
    return figure.Figure(
        name="targets",
        title="Predicted perplexity at each target",
        says=f"At {{layer}} % zeros, predicted with 90 % intervals unless measured: {listed}.",
        slots={
            str(n): figure.Slot(_written(each, dict(points)), "layer")
            for n, (each, points) in enumerate(zip(costs, measured, strict=True))
        },
        y=axes.log_axis("predicted perplexity (log scale)", *drawn),
        pick=figure.Control("target", "Target sparsity", list(map(per_cent, TARGETS)), 0, TARGETS),
        lines=[
            figure.Line([cost], tone, points=points)
            for tone, cost, points in zip(requests.values(), drawn, measured, strict=True)
        ],
        key=[figure.Key(tone, name, "line") for name, tone in zip(names, requests.values(), strict=True)],
        x="target sparsity, %",
        height=230,
        head=HEAD_HEIGHT,
        first=True,
    )


def _written(costs: Estimate, measured: Mapping[int, float]) -> list[str]:
    """`932 measured`, else `849 [665, 1,100]`, at each target."""
    predicted = map(study_lines.interval, *costs[:3])
    return [f"{perplexity(measured[n])} measured" if n in measured else each for n, each in enumerate(predicted)]


def _as_measured(kind: str, forecast: Forecast) -> AllocationRequest:
    """A method with the parameters that an anchor has of it."""
    bases = (each.setting.allocation.base for each in forecast.settings)
    measured = (each for each in bases if each.kind == kind and not each.per_linear)
    return AllocationRequest(base=next(measured, METHODS[kind]()), target=TARGETS[0])


_costs = lru_cache(costs_at)


def _points(request: AllocationRequest, forecast: Forecast) -> list[tuple[int, float]]:
    """Measured points of a request under the protocol in view."""
    return [
        (round(100 * each.target), each.perplexity)
        for each in forecast.settings
        if each.setting.allocation.replace(target=TARGETS[0]) == request
    ]


# --- few bits ------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=24)
def by_size(
    request: AllocationRequest, treatment: Treatment, profile: Profile, forecast: Forecast | None
) -> figure.Figure:
    """Mean bits of every layer and the predicted perplexity at every size of the file, which one slider moves.

    Args:
        request: in bits; its target does not count.
    """
    unit, stops = request.budget_unit, amounts(profile, request.budget_unit)
    sizes = [""] * len(stops)
    plans, evenly = (
        [current_allocation.allocated(each.replace(target=stop), profile) for stop in stops]
        for each in (request, uniform(stops[0], unit.name))
    )
    with suppress(UserError):  # the model is not here
        counts = counts_of(profile.provenance, Store())
        sizes = [f"{megabytes(taken(counts, treatment, each.budget))}, " for each in plans]
    shares = sparsities(plans)
    tones, key = level_shades(shares, unit)
    bars = unit.amount(shares)
    write = (lambda share: f"{unit.amount(share):.3g} bits a weight") if unit.bits else unit.phrase
    gauge = costs = None
    if forecast:
        costs, uniforms = (costs_of(forecast, each) for each in (plans, evenly))
        curve = figure.Curve(range(len(stops)), sensible(uniforms.value), "uniform")
        gauge = picture.gauge("predicted perplexity at each size (log scale)", costs, [curve])
    return figure.Figure(
        name="bits",
        title=f"{capital(unit.unit)}, layer by layer",
        says="Layer {layer}: {now}.",
        slots={"now": figure.written(write, shares)},
        y=amount_axis(unit, 0, bars.max()),
        controls=[figure.Control("target", SIZE, [*map(add, sizes, map(unit.phrase, stops))], 0, stops)],
        bars=figure.Bars(bars, tones),
        gauge=gauge,
        hero=forecast and picture.hero(costs, forecast, "the dense model", forecast.study.dense.perplexity),
        key=[figure.Key(*each) for each in key.items()],
        height=230,
        right=64,
        idle="Point at a bar.",
        first=True,
    )


def draw_sizes(request: AllocationRequest, treatment: Treatment, profile: Profile, forecast: Forecast | None) -> None:
    """Draw the picture of sizes, and what predicts."""
    stops = amounts(profile, request.budget_unit)
    still = request.replace(target=stops[0])
    layout.live(by_size(still, treatment, profile, forecast), {"target": stops.index(request.target)})
    if forecast:
        layout.caption(f"Shaded: the interval. {study_lines.basis(forecast)}")
