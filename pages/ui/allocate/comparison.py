"""An allocation beside other methods: what each gives the layers, and what that was measured to cost."""

from __future__ import annotations

import math
from collections.abc import Sequence

import streamlit as st

from core.ask import naming
from core.ask.allocations import AllocationRequest
from core.base.escape import plain
from core.base.formats import per_cent
from core.kinds.treatments import USUAL
from core.results import leaderboard
from core.results.evaluations import Evaluations, Slice
from core.show.figures import allocation as race
from core.show.words import verdicts
from core.store.profiles import Profile
from core.store.results import Array
from pages.ui import frame, studies, view


def show(
    request: AllocationRequest, now: Array, pruner: str, protocols: Sequence[Evaluations], profile: Profile
) -> None:
    """What each method was measured to cost beside what it gives the layers, under its protocol.

    Args:
        now: (layers,) or (layers, linears) on screen.
        pruner: whose measurements are preferred.
        protocols: the model's studies.
    """
    look, target, prefix = view.look(), request.target, profile.entry.key[:6]
    study, part = leaderboard.where(protocols, target, pruner) or (None, None)
    this = leaderboard.in_view(f"this allocation: {naming.allocation(request)}", now, profile, study, part)
    methods = leaderboard.ranking(request, profile, study, part)
    lanes = race.lanes([this, *methods], target, look)
    if study is None:
        st.header("Which layers does each method prune more?", anchor=False)
        anything, said = Slice(USUAL, None, target), f"No method was measured at {per_cent(target)} zeros."
        studies.not_evaluated(said, "Prune measures what each one costs.", anything, None, protocols, lambda *_: True)
        frame.show(lanes, prefix, "lanes", brief=True)
        return
    dense = study.dense.perplexity if study.dense else math.nan
    st.header(plain(verdicts.winner(methods, target)), anchor=False)
    studies.badge(study)
    left, right = st.columns(2, gap="large")
    with left:
        frame.show(race.finish([this, *methods], dense, look), prefix, "finish", brief=True)
    with right:
        frame.show(lanes, prefix, "lanes", brief=True)
