"""An allocation beside other methods: what each gives the layers, and what that was measured to cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import streamlit as st

from core.ask import naming
from core.ask.allocations import AllocationRequest
from core.base.formats import per_cent
from core.kinds.treatments import USUAL, Treatment
from core.results import leaderboard
from core.results.anchors import Anchors
from core.results.evaluations import Evaluations, Slice
from core.show.figures import Chart, Palette
from core.show.figures import allocation as race
from core.store.profiles import Profile
from core.store.results import Array
from pages.ui import frame, studies, view


def show(
    request: AllocationRequest,
    now: Array,
    anchors: Anchors | None,
    treatment: Treatment,
    protocols: Sequence[Evaluations],
    profile: Profile,
) -> None:
    """What each method costs, measured or else predicted, beside what it gives the layers; and the protocol once.

    Args:
        now: (layers,) or (layers, linears) on screen.
        anchors: what predicts, by one protocol; None: nothing does.
        protocols: the model's studies.
    """
    target, prefix = request.target, profile.entry.key[:6]
    if anchors:
        study, part = anchors.study, Slice(treatment.pruner, None, target, treatment.repair)
    else:
        study, part = leaderboard.where(protocols, target, treatment.name) or (None, None)
    lanes, costs = _drawn(request, now.tobytes(), now.shape, profile, study, part, anchors, view.look())
    if study is None:
        anything, said = Slice(USUAL, None, target), f"No method was measured at {per_cent(target)} zeros."
        studies.not_evaluated(said, "Prune measures what each one costs.", anything, None, protocols, lambda *_: True)
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
    now: bytes,
    shape: tuple[int, ...],
    profile: Profile,
    study: Evaluations | None,
    part: Slice | None,
    anchors: Anchors | None,
    look: Palette,
) -> tuple[Chart, Chart | None]:
    """What each method gives the layers and, where that is known, costs: drawn once for all readers.

    Args:
        now, shape: the allocation on screen, as bytes.
    """
    name, on_screen = f"this allocation: {naming.allocation(request)}", np.frombuffer(now).reshape(shape)
    methods = leaderboard.ranking(request, profile, study, part, anchors)
    every = [leaderboard.in_view(name, on_screen, profile, study, part, anchors), *methods]
    dense = study.dense.perplexity if study and study.dense else math.nan
    return race.lanes(every, request.target, look), race.finish(every, dense, look) if study else None
