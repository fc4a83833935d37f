"""The allocation in view: the settings of the allocate page, read without drawing their widgets."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from core.allocation.correction import CLIP
from core.allocation.spread import Allocation, allocate
from core.specs import naming
from core.specs.allocations import AllocationRequest, Correction
from core.specs.base import checked
from core.specs.errors import UserError
from core.store.profiles import Profile
from core.store.results import Array
from pages.ui import view
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
    asked = request(profile)
    allocation = allocate(asked, profile)
    if settings.unclipped(draw=False):
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


def request(profile: Profile) -> AllocationRequest:
    """The settings of the allocate page, from the URL or from what this tab last chose."""
    method = settings.METHODS[view.sync("base", list(settings.METHODS), "owl")]
    values = {
        each.name: view.sync(each.key or each.name, each.options, method.model_fields[each.name].default)
        for each in method.parameters()
    }
    spent = {
        key: view.sync(key, settings.TARGETS, default)
        for key, default in (("target", 0.7), ("low", 0.0), ("high", 0.95))
    }
    base = checked(method, **values)
    return checked(AllocationRequest, base=base, correction=_correction(profile), **spent)


def _correction(profile: Profile) -> Correction:
    """As chosen; at strength 0 there is none, whatever would have driven it."""
    names = list(profile.by_name)
    driver = view.sync("driver", names, "gaussian:0.3" if "gaussian:0.3" in names else names[0], drawn=False)
    control = view.sync("control", list(settings.CONTROLS), "none")
    seed = view.sync("shuffle", range(10), 0) if control == "shuffled" else 0
    clip = view.sync("clip", list(settings.CLIPS), CLIP)
    strength = view.sync("strength", settings.STRENGTHS, 0.0)
    if not strength:
        return Correction()
    return Correction(strength=strength, driver=driver, control=control, seed=seed, clip=clip)


def show(found: InView) -> pd.DataFrame:
    """One line, a bar per layer, and the way back; returns the numbers of the bars."""
    if found.problem:
        st.error(found.problem)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**Allocation in view: {naming.long(found.request)}**, {found.request.target:.0%} zeros")
        st.page_link("allocate.py", label="Change it", icon=":material/tune:")
    return overview.sparsities(found.sparsity, found.request.target)
