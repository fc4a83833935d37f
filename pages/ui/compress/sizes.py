"""Live picture of sizes: bits of each layer at every size of the file, and what each is predicted to cost."""

from contextlib import suppress
from functools import lru_cache
from operator import add

from core.base import UserError, capital, megabytes
from core.export.file_sizes import counts_of
from core.methods import BudgetUnit, Treatment
from core.plan import taken
from core.requests import AllocationRequest, uniform
from core.results import Forecast
from core.show.figures.axes import Axis, linear_axis
from core.show.figures.evaluation import costs_of, sensible, sparsities
from core.show.words import study_lines
from core.store import Profile, Store
from pages.ui import layout
from pages.ui.compress import current_allocation, picture
from pages.ui.compress.settings import amounts
from pages.ui.live import figure

SIZE = "All weights take at most"


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
        sizes = [f"{megabytes(taken(counts, treatment, each.budget, each.request.outside))}, " for each in plans]
    shares = sparsities(plans)
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
        y=_axis(unit, bars.max()),
        controls=[figure.Control("target", SIZE, [*map(add, sizes, map(unit.phrase, stops))], 0, stops)],
        bars=figure.Bars(bars, tone="accent"),
        gauge=gauge,
        hero=forecast and picture.hero(costs, forecast, "the dense model", forecast.study.dense.perplexity),
        height=230,
        right=64,
        idle="Point at a bar.",
        first=True,
    )


def _axis(unit: BudgetUnit, high: float) -> Axis:
    """The axis of what a layer keeps; a whole layer is either kept or left out."""
    if unit.of_layers:
        return Axis("", 0, 1, [(each.share, each.name) for each in unit.levels])
    return linear_axis(f"{unit.unit}, mean of the layer", 0, high, "{:.3g}".format)


def draw(request: AllocationRequest, treatment: Treatment, profile: Profile, forecast: Forecast | None) -> None:
    """Draw the picture of sizes, and what predicts."""
    stops = amounts(profile, request.budget_unit)
    still = request.replace(target=stops[0])
    layout.live(by_size(still, treatment, profile, forecast), {"target": stops.index(request.target)})
    if forecast:
        layout.caption(f"Shaded: the interval. {study_lines.basis(forecast)}")
