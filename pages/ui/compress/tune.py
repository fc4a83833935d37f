"""The tune part of the Compress page: a budget spread over layers, live, and the measurement of the setting."""

from typing import NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.base import UserError, per_cent
from core.methods import Treatment
from core.plan import Allocation, linear_parameters
from core.requests import AllocationRequest
from core.results import Forecast, Result, Study
from core.store import Profile
from pages.ui import best_setting, choices, current_profile, form, layout, studies, url_state
from pages.ui.compress import current_allocation, pruning, results, settings, sizes

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
    current_allocation.section(tuning.allocation, profile)


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
        sizes.draw(request, treatment, profile, forecast)
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
