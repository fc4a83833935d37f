"""The allocation itself: the live chart over strengths, what layers set by hand make of it, and its estimates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st

from core.ask.allocations import AllocationRequest
from core.base.errors import UserError
from core.base.escape import plain
from core.base.formats import sentence
from core.kinds import BASE_LABELS, Manual
from core.plan import responses
from core.plan.budget import Bounds, binding, pinned
from core.plan.estimates import estimates
from core.plan.responses import Judge
from core.plan.spread import Allocation, bounds_of, exact_family, layer_means, linear_parameters
from core.show.figures.allocation import unclipped
from core.show.figures.linears import linears
from core.store.profiles import Profile
from core.store.results import Array
from pages.ui import frame, view
from pages.ui.allocate import picture, settings

NO_HAND = "Each linear has a budget of its own here, so single layers cannot be set by hand."


def judged(rows: Array, profile: Profile, judge: Judge) -> Array | None:
    """Additive estimates of allocations, (rows,); None where the profile holds too few residuals.

    Args:
        rows: (rows, layers) or (rows, layers, linears).
    """
    try:
        return estimates(rows, profile, judge.harm, judge.pruner)
    except UserError:
        return None


def held_by_hand(rows: Array, held: Mapping[int, float], allocation: Allocation) -> Array:
    """The allocations with the layers set by hand, (rows, layers).

    Raises:
        UserError: these values leave the other layers no way to meet the budget, or each linear has its own.
    """
    if not held:
        return rows
    if allocation.linears is not None:
        raise UserError("a layer cannot be set by hand where each linear has a budget of its own")
    request = allocation.request
    bounds = Bounds(request.low, request.high)
    return np.stack([pinned(row, held, allocation.parameters, request.target, bounds) for row in rows])


def as_manual(allocation: Allocation, now: Array) -> Allocation:
    """What is on screen, with layers set by hand, as an allocation of its own."""
    old = allocation.request
    request = AllocationRequest(
        base=Manual(sparsity=tuple(now.tolist())), target=old.target, low=old.low, high=old.high
    )
    bounds = Bounds(old.low, old.high)
    return Allocation(request, now, now, allocation.parameters, binding(now, bounds), bounds)


def dragged(
    allocation: Allocation, held: Mapping[int, float], profile: Profile, judge: Judge
) -> tuple[Array, Mapping[int, float]]:
    """The live chart: the allocation at every strength, estimates beside it.

    Returns:
        What is on screen, as exact as a pruner is told, and the layers set by hand that it keeps.
    """
    request = allocation.request
    strengths = settings.STRENGTHS
    try:
        rows = exact_family(request, profile, np.array(strengths))
    except UserError as error:  # without strength the base stands; only the correction lacks something
        st.warning(plain(sentence(f"The correction is off: {error}")))
        strengths, rows = [0.0], allocation.exact[None]
    try:
        rows, kept = held_by_hand(rows, held, allocation), held
    except UserError as error:
        frame.error(f"{error}; until then the layers set by hand are ignored")
        kept = {}
    against = others(allocation, kept, profile, judge)
    per_linear = allocation.linears is not None
    shown = layer_means(rows, linear_parameters(profile)) if per_linear else rows
    bound = on_bounds(rows, strengths, request, profile)
    highest = bounds_of(request, profile, 0).high if request.base.measured else None
    estimates = picture.beside(judged(rows, profile, judge), against, responses.NAMES[judge.harm])
    frame.live(picture.picture(allocation, strengths, shown, bound, highest, kept, estimates, view.look()))
    if frame.is_first_paint():
        view.end()
    now = rows[strengths.index(request.correction.strength)]
    return now, kept


def on_bounds(rows: Array, strengths: Sequence[float], request: AllocationRequest, profile: Profile) -> Array:
    """Which layers sit on a bound at each strength, or have a linear there, (strengths, layers)."""
    bounds = (bounds_of(request, profile, strength) for strength in strengths)
    found = np.stack([binding(row, each) for row, each in zip(rows, bounds, strict=True)])
    return found.reshape(*found.shape[:2], -1).any(-1)


def others(allocation: Allocation, held: Mapping[int, float], profile: Profile, judge: Judge) -> dict[str, float]:
    """Additive estimates of the base, with the same layers set by hand, and of uniform; none where none are known."""
    base = allocation.exact_base[None]
    rows = np.concatenate([held_by_hand(base, held, allocation), np.full_like(base, allocation.request.target)])
    found = judged(rows, profile, judge)
    plain = BASE_LABELS[allocation.request.base.kind] if allocation.request.base.kind != "uniform" else "no correction"
    names = (f"{plain} with the same layers set by hand" if held else plain, "uniform")
    return {} if found is None else dict(zip(names, found.tolist(), strict=True))


def cost_of_hand(allocation: Allocation, now: Array, held: Mapping[int, float], profile: Profile, judge: Judge) -> str:
    """The additive estimate of what is on screen, beside the same with no layer set by hand; empty without one."""
    found = judged(np.stack([now, allocation.exact]), profile, judge)
    if found is None:
        return ""
    mine, free = map(picture.estimated, found)
    return f"Estimated harm: **{mine}**" + (f"; with no layer set by hand: {free}." if held else ".")


def loose(allocation: Allocation, prefix: str) -> None:
    """The numbers of the reference code, and what they really spend."""
    target = allocation.request.target
    frame.show(unclipped(allocation.sparsity, allocation.parameters, target, view.look()), prefix, "loose")


def by_linear(now: Array, request: AllocationRequest, profile: Profile, prefix: str) -> None:
    """Layers by linears, (layers, linears)."""
    names = profile.provenance["linears"]
    bounds = bounds_of(request, profile, request.correction.strength)
    frame.show(linears(now, linear_parameters(profile), names, bounds, view.look()), prefix, "linears")
