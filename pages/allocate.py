"""How is a sparsity budget spread over layers? Live."""

import numpy as np
import streamlit as st

from core import response
from core.allocation.allocate import allocate, family, layer_parameters
from core.allocation.budget import Bounds
from core.errors import UserError
from pages.ui import hand, live, settings, spread, undo, view

profile = view.profile()
view.heading("How is a budget spread over layers?", profile)
prefix = profile.entry.key[:6]
try:
    layer_parameters(profile)
except UserError as error:
    st.error(str(error))
    st.stop()

left, right = st.columns([1, 2], gap="large")
with left:
    request = settings.request(profile)
    held = hand.chosen(profile.layers)
    objective = view.sync("judge", list(settings.OBJECTIVES), "drift")
    undo.remember(settings.keys(request), profile.entry.key)
    undo.button()

with right:
    try:
        allocation = allocate(request, profile)
        rows = family(request, profile, np.array(settings.STRENGTHS))
    except UserError as error:
        st.error(str(error))
        st.stop()
    try:
        rows = spread.held_by_hand(rows, held, allocation)
        now = rows[settings.STRENGTHS.index(request.correction.strength)]
        kept = held
    except UserError as error:
        st.error(f"{error}; until then the layers set by hand are left out")
        now, kept = allocation.sparsity, {}

    others = np.stack([allocation.base, np.full(profile.layers, request.target)])
    against = spread.judged(others, profile, request, objective)
    if against is not None:
        view.switch("Estimate the harm by", settings.OBJECTIVES, "judge")
    live.strength(
        live.Family(
            strengths=settings.STRENGTHS,
            base=allocation.base,
            rows=rows,
            parameters=allocation.parameters,
            target=request.target,
            bounds=Bounds(request.low, request.high),
            hand=kept,
            estimates=spread.judged(rows, profile, request, objective),
            against={} if against is None else dict(zip(("base", "uniform"), against.tolist(), strict=True)),
            unit=response.NAMES[objective],
        ),
        request.correction.strength,
    )
    st.caption(settings.WHOSE)
    if against is not None:
        spread.prediction(allocation, now, profile, objective, prefix)
    else:
        st.subheader("What it is estimated to cost", anchor=False)
        try:
            response.measured(profile, spread.pruner_of(request), objective)
        except UserError as error:
            st.info(str(error))

spread.compared(request, now, profile, prefix)

left, right = st.columns(2, gap="large")
with left:
    st.subheader("Set single layers by hand", anchor=False)
    st.caption("The other layers move together, so that the budget is kept.")
    hand.editor(allocation, now, held)
with right:
    st.subheader("Take it along", anchor=False)
    st.caption("This command prints the same numbers.")
    spread.taken_along(spread.as_manual(allocation, now) if kept else allocation, profile, objective, prefix)
