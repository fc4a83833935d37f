"""The allocation in view: the settings of the allocate page, read without drawing their widgets."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from core.ask import naming
from core.ask.allocations import AllocationRequest, Correction
from core.base.errors import UserError
from core.base.escape import plain
from core.base.formats import per_cent
from core.plan.spread import Allocation, allocate
from core.store.profiles import Profile
from core.store.results import Array
from pages.ui import frame
from pages.ui.absorption import overview
from pages.ui.allocate import hand, settings, spread

UNCLIPPED = "The reference code's unclipped numbers are for comparison: here the allocation is kept inside its bounds."


@dataclass(frozen=True, eq=False)
class InView:
    """What the allocate page shows, and what it gives each layer."""

    request: AllocationRequest
    sparsity: Array  # (layers,) mean over a layer's weights
    problem: str | None = None  # why what is set on the allocate page is not followed


def read(profile: Profile) -> InView:
    """The allocation in view, layers set by hand included where the budget allows them.

    Raises:
        UserError: the settings cannot be met on this profile.
    """
    chosen = _chosen(profile)
    asked = chosen.model_copy(update={"unclipped": False})
    allocation = allocate(asked, profile)
    if chosen.unclipped:
        return InView(asked, allocation.sparsity, UNCLIPPED)
    held = hand.chosen(profile.layers) if hand.allowed(asked) else {}
    if not held:
        return InView(asked, allocation.sparsity)
    try:
        return _by_hand(allocation, held)
    except UserError as error:
        return InView(asked, allocation.sparsity, f"{error}; the layers set by hand are left out")


def _by_hand(allocation: Allocation, held: dict[int, float]) -> InView:
    [now] = spread.held_by_hand(allocation.sparsity[None], held, allocation)
    return InView(spread.as_manual(allocation, now).request, now)


def _chosen(profile: Profile) -> AllocationRequest:
    """The settings of the allocate page; at strength 0 there is no correction, whatever would have driven it."""
    asked = settings.read(profile, drawn=False)
    return asked if asked.correction.strength else asked.model_copy(update={"correction": Correction()})


def show(found: InView) -> pd.DataFrame:
    """One line, a bar per layer, and the way back; returns the numbers of the bars."""
    if found.problem:
        frame.error(found.problem)
    with st.container(horizontal=True, vertical_alignment="center"):
        name = plain(naming.long(found.request))
        st.markdown(f"**Allocation in view: {name}**, {per_cent(found.request.target)} zeros")
        st.page_link("allocate.py", label="Change it", icon=":material/tune:")
    return overview.sparsities(found.sparsity, found.request.target)
