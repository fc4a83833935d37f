"""The race: what every method gives the layers, and what it was measured to cost."""

from __future__ import annotations

import math

import streamlit as st

from core.ask import naming
from core.ask.allocations import AllocationRequest
from core.base.errors import UserError
from core.base.escape import plain
from core.kinds.treatments import USUAL
from core.plan.responses import Judge
from core.results import leaderboard as race
from core.results import protocols
from core.results.evaluations import Slice
from core.results.leaderboard import Runner
from core.results.protocols import Place
from core.show.figures import of_evaluations
from core.show.figures import race as drawn
from core.store.profiles import Profile
from core.store.results import Array
from pages.ui import frame, studies, view

TITLE = "Estimate against measured"
FEWEST = 3  # allocations a rank correlation needs
LACKING = (
    f"There are no measurements to compare the estimate with yet: evaluate {FEWEST} or more allocations of one target "
    "and pruner on the Prune page."
)


def place(profile: Profile, target: float, pruner: str) -> Place | None:
    """Where the methods were measured at a target, in one protocol; None where they were not."""
    return race.where(studies.groups(profile).values(), target, pruner)


def corrected(request: AllocationRequest, profile: Profile, pruner: str) -> str:
    """What the correction was measured to do, in whichever protocol it was tried on what is most like this base."""
    return race.corrected(studies.groups(profile).values(), request, pruner)


def section(
    request: AllocationRequest, now: Array, runners: list[Runner], found: Place | None, profile: Profile, prefix: str
) -> None:
    """What each method was measured to cost beside what it gives the layers, and the protocol once.

    Args:
        now: (layers,) or (layers, linears) on screen.
    """
    look, target = view.look(), request.target
    this = race.in_view(f"this allocation: {naming.allocation(request)}", now, profile, *(found or (None, None)))
    shown = drawn.lanes([this, *runners], target, look)
    if found is None:
        st.header("Which layers does each method prune more?", anchor=False)
        groups = studies.groups(profile).values()
        anything = Slice(USUAL, None, target)
        said, but = plain(race.at(groups, target)), "Methods were measured"
        studies.lacking(said, "", but, anything, None, groups, lambda *_: True)
        frame.show(shown, prefix, "lanes", brief=True)
        return
    dense = found[0].dense.perplexity if found[0].dense else math.nan
    st.header(plain(race.winner(runners, target)), anchor=False)
    left, right = st.columns(2, gap="large")
    with left:
        frame.show(drawn.finish([this, *runners], dense, look), prefix, "finish", brief=True)
    with right:
        frame.show(shown, prefix, "lanes", brief=True)
    studies.badge(found[0])


def trust(profile: Profile, request: AllocationRequest, now: Array, judge: Judge, prefix: str) -> None:
    """The additive estimate against the measured loss where all pages look first; a sentence without enough.

    Args:
        now: (layers,) or (layers, linears) on screen, marked among allocations of its target.
    """
    place, chart, lacking = (
        protocols.place(studies.groups(profile).values(), request.target, judge.pruner),
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
