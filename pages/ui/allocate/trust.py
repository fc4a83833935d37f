"""How far the additive estimate can be trusted: against what was measured of the profile's model."""

from __future__ import annotations

import streamlit as st

from core.ask.allocations import AllocationRequest
from core.base.errors import UserError
from core.base.escape import plain
from core.plan.responses import Judge
from core.results import protocols
from core.show.figures import of_evaluations
from core.store.profiles import Profile
from core.store.results import Array
from pages.ui import frame, view
from pages.ui.prune import stored

TITLE = "Estimate against measured"
FEWEST = 3  # allocations a rank correlation needs
LACKING = (
    f"There are no measurements to compare the estimate with yet: evaluate {FEWEST} or more allocations of one target "
    "and pruner on the Prune page."
)


def show(profile: Profile, request: AllocationRequest, now: Array, judge: Judge, prefix: str) -> None:
    """The additive estimate against the measured loss where all pages look first; a sentence without enough.

    Args:
        now: (layers,) or (layers, linears) on screen, marked among allocations of its target.
    """
    place, chart, lacking = (
        protocols.place(stored.groups(profile).values(), request.target, judge.pruner),
        None,
        LACKING,
    )
    if place and sum(each.finite for each in place.settings) >= FEWEST:
        mine = now if abs(place.part.target - request.target) < 1e-9 else None
        try:
            chart = of_evaluations.trust(*place, profile, judge.harm, None, view.look(), mine)
        except UserError as error:
            lacking = f"The estimate cannot be compared with measurements: {error}."
    if chart is None:
        st.header(TITLE, anchor=False)
        st.caption(plain(lacking))
        return
    frame.show(chart, prefix, "trust")
    st.caption(plain(protocols.badge(place.evaluations)))
