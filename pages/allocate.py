"""How is a sparsity budget spread over layers? Live."""

import streamlit as st

from core.base.errors import UserError
from core.base.escape import plain
from core.plan.spread import allocate, layer_means, layer_parameters, linear_parameters
from core.results import leaderboard
from pages.ui import frame, glossary, subject, view
from pages.ui.allocate import actions, comparison, settings, spread

profile = subject.profile()
TERMS = ("budget", "correction", "control", "gain", "response", "harm", "nats", "rank correlation")
subject.heading("How is a budget spread over layers?", profile)
prefix = profile.entry.key[:6]
try:
    layer_parameters(profile)
except UserError as error:
    frame.error(error)
    view.end()

left, right = st.columns([2, 1], gap="large")  # the chart first, on a phone too
with right:
    request = settings.read(profile)
    by_hand = settings.by_hand(request)
    settings.draw(request, profile)
    judge = settings.judge(request, profile)
    glossary.words(TERMS)

with left:
    try:
        allocation = allocate(request, profile)
    except UserError as error:
        frame.error(error)
        actions.measure_linears(request, profile)
        view.end()
    now, held = spread.dragged(allocation, by_hand, profile, judge)
    place = comparison.place(profile, request.target, judge.pruner)
    st.caption(plain(comparison.corrected(request, profile, judge.pruner)), help=settings.WHOSE)
    if request.base.per_linear:
        spread.by_linear(now, request, profile, prefix)

means = layer_means(now, linear_parameters(profile)) if request.base.per_linear else now
contenders = leaderboard.ranking(request, profile, *(place or (None, None)))
comparison.measured(request, now, contenders, place, profile, prefix)
comparison.estimated(allocation, now, means, held, contenders, profile, judge, prefix)
actions.section(spread.as_manual(allocation, now) if held else allocation, request, profile, judge, prefix)
