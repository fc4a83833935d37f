"""How is a sparsity budget spread over layers? Live."""

import streamlit as st

from core.base.errors import UserError
from core.base.escape import plain
from core.plan.spread import allocate, layer_parameters
from core.show.words import verdicts
from pages.ui import best_known, frame, glossary, studies, subject, view, watch
from pages.ui.allocate import actions, comparison, predicting, settings, spread, targets

profile = subject.profile()
TERMS = ("budget", "correction", "control", "gain", "response", "harm", "nats")
subject.heading("How is a budget spread over layers?", profile)
if job := watch.watched():
    watch.panel(job)
try:
    layer_parameters(profile)
except UserError as error:
    frame.error(error)
    view.end()

left, right = st.columns([5, 3], gap="large")  # the chart first, on a phone too
with right:
    request, treatment = settings.read(profile), settings.treatment()
    by_hand = settings.by_hand(request)
    found, refusal = predicting.anchors_of(profile, treatment, request.base.per_linear)
    if found:
        targets.show(request, found)
    settings.draw(request, profile, target=not found)
    glossary.words(TERMS)

with left:
    try:
        allocation = allocate(request, profile)
    except UserError as error:
        best_known.follow(request, profile)
        frame.error(error)
        view.end()
    now, held = spread.dragged(allocation, by_hand, profile, found)
    if not found:
        actions.evaluate_anchors(refusal, treatment, profile)
    protocols = tuple(studies.groups(profile).values())
    st.caption(plain(verdicts.corrected(protocols, request, treatment.name)), help=settings.ORIGIN)
    if request.base.per_linear:
        spread.by_linear(now, allocation, profile)

best_known.card(profile, request.target, treatment.pruner, "allocate.py")
comparison.show(request, now, found, treatment, protocols, profile)
actions.section(spread.as_manual(allocation, now) if held else allocation, request, profile)
