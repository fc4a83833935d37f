"""An allocation beside other methods: what each gives the layers, and what that was measured to cost."""

from __future__ import annotations

import math
from functools import lru_cache

import streamlit as st

from core.ask.allocations import AllocationRequest
from core.kinds.treatments import Treatment
from core.plan.spread import Allocation
from core.results import leaderboard
from core.results.anchors import Anchors
from core.results.evaluations import Evaluations, Slice
from core.show.figures import Chart, Palette
from core.show.figures import allocation as race
from core.show.words import verdicts
from core.store.profiles import Profile
from pages.ui import frame, studies, view

_ranking = lru_cache(maxsize=128)(leaderboard.ranking)
corrected = lru_cache(maxsize=256)(verdicts.corrected)


def show(
    request: AllocationRequest,
    shown: Allocation,
    anchors: Anchors | None,
    treatment: Treatment,
    protocols: tuple[Evaluations, ...],
    profile: Profile,
) -> None:
    """What each method costs, measured or else predicted, beside what it gives the layers; and the protocol once.

    Args:
        shown: the allocation on screen.
        anchors: what predicts, by one protocol; None: nothing does.
        protocols: the model's studies.
    """
    target, prefix = request.target, profile.entry.key[:6]
    if anchors:
        study, part = anchors.study, Slice(treatment.pruner, None, target, treatment.repair)
    else:
        alike = lambda _, part: part.treatment == treatment  # noqa: E731
        study, part = leaderboard.where(protocols, target, treatment.name, alike) or (None, None)
    lanes, costs = _drawn(request.plain, shown, profile, study, part, anchors, view.look())
    if study is None:
        frame.show(lanes, prefix, "lanes")
        return
    studies.badge(study)
    left, right = st.columns(2, gap="large")
    with left:
        frame.show(costs, prefix, "finish")
    with right:
        frame.show(lanes, prefix, "lanes")


@lru_cache(maxsize=128)
def _drawn(
    request: AllocationRequest,
    shown: Allocation,
    profile: Profile,
    study: Evaluations | None,
    part: Slice | None,
    anchors: Anchors | None,
    look: Palette,
) -> tuple[Chart, Chart | None]:
    """What each method gives the layers and, where that is known, costs: drawn once for all readers."""
    among = profile, study, part, anchors
    every = [leaderboard.in_view("this allocation", shown.exact, *among), *_ranking(request, *among)]
    dense = study.dense.perplexity if study and study.dense else math.nan
    return race.lanes(every, request.target, look), race.finish(every, dense, look) if study else None
