"""The Allocate page: a sparsity budget spread over layers, live."""

import streamlit as st

from core.base import UserError, per_cent
from core.plan import linear_parameters
from pages.ui import best_setting, choices, current_profile, glossary, layout, studies, url_state, watch
from pages.ui.allocate import current_allocation, settings, targets

profile = current_profile.profile()
current_profile.heading("How is a budget spread over layers?", profile)
watch.watched()
linear_parameters(profile)  # refused for a model that cannot be pruned

protocols = studies.groups(profile)
left, right = st.columns([5, 3], gap="large")  # the chart first, on a phone too
allocation = wrong = measured = None
with right:
    upper = st.container()
    request = settings.read(profile)
    levels, treatment = request.budget_unit.levels, settings.treatment(request.budget_unit)
    forecast, refusal = studies.forecast_of(protocols, profile, treatment, request.base.per_linear)
with left:
    by_hand = "" if levels else choices.text("hand", "")
    try:
        allocation = current_allocation.in_view(request, by_hand, profile)
    except UserError as error:
        wrong = error
if forecast and allocation:
    forecast, measured = studies.without_allocation(forecast, allocation.request, request.uncorrected)  # by hand too
with right:
    with upper:
        if forecast and not levels:
            targets.show(request, forecast)
        elif not levels:
            about = "Mean over layers, weighted by their parameters."
            st.select_slider("Target sparsity", settings.TARGETS, key="target", format_func=per_cent, help=about)
    settings.draw(request, profile)
    glossary.words("budget, correction, control, response, harm, nats")

with left:
    if wrong:
        best_setting.follow(request, profile)
        layout.error(wrong)
        url_state.end()
    if levels:
        targets.draw_sizes(request, treatment, profile, forecast)
    else:
        current_allocation.draw(request, by_hand, allocation, profile, forecast, measured)
    if forecast:
        current_allocation.next_words(allocation, forecast)
    if refusal:
        current_allocation.evaluate_anchors(refusal, treatment, profile)
    best_setting.card(protocols, request.target, treatment.pruner, "allocate.py")
    if not levels:
        layout.caption(
            current_allocation.corrected(protocols, request.uncorrected, treatment.name), help=settings.ORIGIN
        )
    if request.base.per_linear:
        current_allocation.by_linear(allocation, profile)

if not levels:
    current_allocation.race(request, allocation, forecast, treatment, protocols, profile)
current_allocation.section(allocation, request, profile)
