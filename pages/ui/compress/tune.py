"""The tune part of the Compress page: a budget spread over layers, live, and the measurement of the setting."""

import json
from contextlib import suppress
from functools import lru_cache
from operator import add
from typing import NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.base import UserError, capital, megabytes, per_cent
from core.export.file_sizes import counts_of
from core.methods import BudgetUnit, Treatment
from core.plan import Allocation, linear_parameters, taken
from core.requests import AllocationRequest, line, uniform
from core.results import Forecast, Result, Study
from core.show.figures.axes import Axis, linear_axis
from core.show.figures.evaluation import costs_of, sensible, sparsities
from core.show.words import study_lines
from core.store import Profile, Store
from pages.ui import best_setting, choices, current_profile, form, layout, studies, url_state
from pages.ui.compress import current_allocation, picture, pruning, results, settings
from pages.ui.live import figure

ABOUT = "Mean over layers, weighted by their parameters."
BELOW = {"measure": "Measure this setting", "methods": "Other methods, and what to take along"}


class Tuning(NamedTuple):
    """The allocation in view, and what is known of its cost."""

    request: AllocationRequest
    treatment: Treatment
    protocols: tuple[Study, ...]
    by_hand: str  # layers set by hand, as typed
    allocation: Allocation | None = None
    wrong: UserError | None = None  # why there is none
    forecast: Forecast | None = None
    refusal: UserError | None = None  # why there is none
    measured: Result | None = None  # of the allocation, which is not among what predicts

    @property
    def levels(self) -> bool:
        """True for a budget that is counted in bits, bytes or layers."""
        return bool(self.request.budget_unit.levels)


def show(profile: Profile) -> None:
    """Draw the allocation with its sliders, other methods beside it, and the form that measures it."""
    current_profile.heading("How is a budget spread over layers?", profile)
    linear_parameters(profile)  # refused for a model that cannot be pruned
    left, right = st.columns([5, 3], gap="large")  # the chart first, on a phone too
    with right:
        upper, more = st.container(), st.expander("More: pruner, repair, budget, controls")
        tuning = _tuning(profile, more)
        if not tuning.levels:
            upper.select_slider("Target sparsity", settings.TARGETS, key="target", format_func=per_cent, help=ABOUT)
        with upper:
            settings.draw(tuning.request, profile, more)
    with left:
        _picture(tuning, profile)
    if form.switch("Below", BELOW, "below", "measure", label_visibility="collapsed") == "measure":
        _measure(tuning, profile)
        return
    if tuning.request.base.per_linear:
        current_allocation.by_linear(tuning.allocation, profile)
    if not tuning.levels:
        current_allocation.race(*tuning[:1], tuning.allocation, tuning.forecast, *tuning[1:3], profile)
    _section(tuning.allocation, profile)


def _tuning(profile: Profile, more: DeltaGenerator) -> Tuning:
    """Draw pruner and repair in `more`; return the allocation in view and what predicts it."""
    request, protocols = settings.read(profile), studies.groups(profile)
    with more:
        treatment = settings.treatment(request.budget_unit)
    by_hand = "" if request.budget_unit.levels else choices.text("hand", "")
    forecast, refusal = studies.forecast_of(protocols, profile, treatment, request.base.per_linear)
    tuning = Tuning(request, treatment, protocols, by_hand, forecast=forecast, refusal=refusal)
    try:
        allocation = current_allocation.in_view(request, by_hand, profile)
    except UserError as error:
        return tuning._replace(wrong=error)
    if forecast is None:
        return tuning._replace(allocation=allocation)
    others, measured = studies.without_allocation(forecast, allocation.request, request.uncorrected)  # by hand too
    return tuning._replace(allocation=allocation, forecast=others, measured=measured)


def _picture(tuning: Tuning, profile: Profile) -> None:
    """Draw the live picture, what is known of its cost, and the best setting that was measured."""
    request, forecast, treatment = tuning.request, tuning.forecast, tuning.treatment
    if tuning.wrong:
        best_setting.follow(request, profile)
        layout.error(tuning.wrong)
        url_state.end()
    if tuning.levels:
        _sizes(request, treatment, profile, forecast)
    else:
        current_allocation.draw(request, tuning.by_hand, tuning.allocation, profile, forecast, tuning.measured)
    if forecast:
        current_allocation.next_words(tuning.allocation, forecast)
    if tuning.refusal:
        current_allocation.evaluate_anchors(tuning.refusal, treatment, profile)
    best_setting.card(tuning.protocols, request.target, treatment.pruner)


def _measure(tuning: Tuning, profile: Profile) -> None:
    """Draw the form that measures the setting in view, and the ways on."""
    how = pruning.draw(profile, pruning.without_idle(tuning.allocation.request), tuning.treatment)
    if how.wrong:
        layout.error(how.wrong)
        return
    if tuning.forecast is None or how.setting.pattern or how.setting.true_sequential:  # else the picture tells
        results.known_cost(how.setting, tuning.protocols, profile)
    pruning.evaluate(how, profile)
    layout.to_compress("Export this setting", "results")


def _section(allocation: Allocation, profile: Profile) -> None:
    """Draw the command that prints the same numbers, and the download of the allocation.

    Args:
        allocation: as on screen, with layers set by hand.
    """
    layout.header("Export allocation")
    st.caption("This command prints the same numbers.")
    file = f"{profile.key[:6]}-allocation.json"
    argument = file if allocation.request.base.by_hand else allocation.request
    layout.command(line("allocate", profile=profile.key, allocation=argument, cache=Store().elsewhere))
    st.download_button("JSON", written(allocation, profile), file, "application/json", key="json", on_click="ignore")


def written(allocation: Allocation, profile: Profile) -> str:
    """JSON of an allocation as `--allocation FILE` reads it, with its origin."""
    record = {
        "profile": profile.key,
        "model": profile.provenance.get("model"),
        "request": allocation.request.model_dump(mode="json"),
        "budget": allocation.budget,
        "sparsity": allocation.exact.tolist(),
    }
    return json.dumps(record, indent=1)


# --- the live picture of sizes: bits of each layer, and what each size is predicted to cost --------------------------

SIZE = "All weights take at most"


@lru_cache(maxsize=24)
def by_size(
    request: AllocationRequest, treatment: Treatment, profile: Profile, forecast: Forecast | None
) -> figure.Figure:
    """Mean bits of every layer and the predicted perplexity at every size of the file, which one slider moves.

    Args:
        request: in bits; its target does not count.
    """
    unit, stops = request.budget_unit, settings.amounts(profile, request.budget_unit)
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


def _sizes(request: AllocationRequest, treatment: Treatment, profile: Profile, forecast: Forecast | None) -> None:
    """Draw the picture of sizes, and what predicts."""
    stops = settings.amounts(profile, request.budget_unit)
    still = request.replace(target=stops[0])
    layout.live(by_size(still, treatment, profile, forecast), {"target": stops.index(request.target)})
    if forecast:
        layout.caption(f"Shaded: the interval. {study_lines.basis(forecast)}")
