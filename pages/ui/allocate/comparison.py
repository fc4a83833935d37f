"""An allocation beside other methods: what each gives the layers, and what that was measured to cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import streamlit as st

from core.ask import naming
from core.ask.allocations import AllocationRequest
from core.base.escape import plain
from core.base.formats import per_cent
from core.kinds.treatments import USUAL
from core.results import leaderboard
from core.results.evaluations import Evaluations, Slice
from core.results.leaderboard import Contender
from core.show.figures import Chart, Palette
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
    target, prefix = request.target, profile.entry.key[:6]
    study, part = leaderboard.where(protocols, target, pruner) or (None, None)
    methods, lanes, costs = _drawn(request, now.tobytes(), now.shape, profile, study, part, view.look())
    if study is None:
        st.header("Which layers does each method prune more?", anchor=False)
        anything, said = Slice(USUAL, None, target), f"No method was measured at {per_cent(target)} zeros."
        studies.not_evaluated(said, "Prune measures what each one costs.", anything, None, protocols, lambda *_: True)
        frame.show(lanes, prefix, "lanes", brief=True)
        return
    st.header(plain(verdicts.winner(methods, target)), anchor=False)
    studies.badge(study)
    left, right = st.columns(2, gap="large")
    with left:
        frame.show(costs, prefix, "finish", brief=True)
    with right:
        frame.show(lanes, prefix, "lanes", brief=True)


@lru_cache(maxsize=128)
def _drawn(
    request: AllocationRequest,
    now: bytes,
    shape: tuple[int, ...],
    profile: Profile,
    study: Evaluations | None,
    part: Slice | None,
    look: Palette,
) -> tuple[Sequence[Contender], Chart, Chart | None]:
    """The methods, what each gives the layers and, where they were measured, costs: drawn once for all readers.

    Args:
        now, shape: the allocation on screen, as bytes.
    """
    name, on_screen = f"this allocation: {naming.allocation(request)}", np.frombuffer(now).reshape(shape)
    methods = leaderboard.ranking(request, profile, study, part)
    every = [leaderboard.in_view(name, on_screen, profile, study, part), *methods]
    dense = study.dense.perplexity if study and study.dense else math.nan
    return methods, race.lanes(every, request.target, look), race.finish(every, dense, look) if study else None
