"""How is a sparsity budget spread over layers? Live."""

import streamlit as st

from core.base.errors import UserError
from core.base.escape import plain
from core.plan.spread import allocate, layer_means, layer_parameters, linear_parameters
from core.results import leaderboard as race
from pages.ui import frame, glossary, subject, view
from pages.ui.allocate import estimating, hand, racing, settings, spread, taking, undo

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
    settings.draw(request, profile)
    judge = settings.judge(request, profile)
    held = hand.chosen(profile.layers) if hand.allowed(request) else {}
    undo.remember(settings.keys(request), profile.entry.key)
    with st.container(horizontal=True):
        undo.button()
        glossary.words(TERMS)

with left:
    try:
        allocation = allocate(request, profile)
    except UserError as error:
        frame.error(error)
        taking.to_measure(request, profile)
        view.end()
    if request.unclipped:
        spread.loose(allocation, prefix)
        now, kept = allocation.exact, {}
    else:
        now, kept = spread.dragged(allocation, held, profile, judge)
    per_linear = now.ndim == 2
    place = racing.place(profile, request.target, judge.pruner)
    if not request.unclipped:
        st.caption(plain(racing.corrected(request, profile, judge.pruner)), help=settings.WHOSE)
    if hand.allowed(request):
        hand.section(allocation, now, held, spread.cost_of_hand(allocation, now, kept, profile, judge))
    elif per_linear:
        st.caption(spread.NO_HAND)
        spread.by_linear(now, request, profile, prefix)

means = layer_means(now, linear_parameters(profile)) if per_linear else now
runners = race.race(request, profile, *(place or (None, None)))
racing.section(request, now, runners, place, profile, prefix)
estimating.section(allocation, now, means, kept, runners, profile, judge, prefix)
taking.section(spread.as_manual(allocation, now) if kept else allocation, request, profile, judge, prefix)
