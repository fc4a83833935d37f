"""How is a sparsity budget spread over layers? Live."""

import streamlit as st

from core.allocation.spread import allocate, layer_means, layer_parameters, linear_parameters
from core.specs.errors import UserError
from pages.ui import view
from pages.ui.allocate import hand, settings, spread, trust, undo

profile = view.profile()
TERMS = ("budget", "correction", "control", "gain", "response", "harm", "nats", "rank correlation")
view.heading("How is a budget spread over layers?", profile, TERMS)
prefix = profile.entry.key[:6]
try:
    layer_parameters(profile)
except UserError as error:
    st.error(str(error))
    view.end()

left, right = st.columns([1, 2], gap="large")
with left:
    request = settings.read(profile)
    settings.draw(request, profile)
    judge = settings.judge(request, profile)
    held = hand.chosen(profile.layers) if hand.allowed(request) else {}
    undo.remember(settings.keys(request), profile.entry.key)
    undo.button()

with right:
    try:
        allocation = allocate(request, profile)
    except UserError as error:
        st.error(str(error))
        spread.to_measure(request, profile)
        view.end()
    if request.unclipped:
        spread.loose(allocation, prefix)
        now, kept = allocation.exact, {}
    else:
        now, kept = spread.dragged(allocation, held, profile, judge)
    per_linear = now.ndim == 2
    if hand.allowed(request):
        hand.section(allocation, now, held, spread.cost_of_hand(allocation, now, kept, profile, judge))
        st.caption(settings.WHOSE)
    elif per_linear:
        st.caption(f"{spread.NO_HAND} {settings.WHOSE}")
        spread.by_linear(now, request, profile, prefix)
    spread.estimated(allocation, now, kept, profile, judge, prefix)

means = layer_means(now, linear_parameters(profile)) if per_linear else now
spread.compared(request, means, profile, judge, prefix)
trust.show(profile, request, now, judge, prefix)

st.header("Take it along", anchor=False)
spread.on_to_prune(request)
st.caption("This command prints the same numbers.")
spread.taken_along(spread.as_manual(allocation, now) if kept else allocation, profile, judge, prefix)
