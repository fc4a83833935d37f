"""The allocation itself: the live chart over strengths, layers set by hand, and additive estimates of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st

from core.ask.allocations import AllocationRequest
from core.base.errors import UserError
from core.base.escape import plain
from core.base.formats import sentence
from core.kinds import BASE_LABELS, Manual
from core.plan.budget import Bounds, binding, pinned
from core.plan.responses import estimates
from core.plan.spread import Allocation, bounds_of, family, layer_means, linear_parameters
from core.show.figures.tensors import linears
from core.store.profiles import Profile
from core.store.results import Array
from pages.ui import frame, view
from pages.ui.allocate import picture, settings

ADDITIVE = (
    "The estimate adds up what pruning each {} alone was measured to do. Pruned layers disturb one another, so measure "
    "before you trust it."
)


def read_hand(typed: str, layers: int) -> dict[int, float]:
    """Layer -> sparsity of `3:0.55, 7:0.9`.

    Raises:
        UserError: it does not read so, or there is no such layer.
    """
    try:
        parts = [part.split(":") for part in typed.replace(" ", "").split(",") if part]
        found = {int(layer): float(value) for layer, value in parts}
    except ValueError:
        raise UserError(f"layers set by hand are written as in 3:0.55, 7:0.9, not {typed!r}") from None
    if not all(0 <= layer < layers and 0 <= value < 1 for layer, value in found.items()):
        raise UserError(f"layers are numbered 0 to {layers - 1} and sparsities lie from 0 to below 1, unlike {typed!r}")
    return found


def pinned_rows(rows: Array, held: Mapping[int, float], allocation: Allocation) -> Array:
    """The allocations with the layers set by hand, (rows, layers).

    Raises:
        UserError: these values leave the other layers no way to meet the budget.
    """
    request = allocation.request
    bounds = Bounds(request.low, request.high)
    budget = (allocation.parameters, request.target, bounds)
    return np.stack([pinned(row, held, *budget) for row in rows]) if held else rows


def as_manual(allocation: Allocation, now: Array) -> Allocation:
    """What is on screen, with layers set by hand, as an allocation of its own."""
    old = allocation.request
    request = AllocationRequest(
        base=Manual(sparsity=tuple(now.tolist())), target=old.target, low=old.low, high=old.high
    )
    bounds = Bounds(old.low, old.high)
    return Allocation(request, now, now, allocation.parameters, binding(now, bounds), bounds)


def dragged(allocation: Allocation, by_hand: str, profile: Profile, pruner: str) -> tuple[Array, Mapping[int, float]]:
    """Draw the live chart: the allocation at every strength, estimates beside it.

    Args:
        by_hand: layers set by hand, as typed.
        pruner: whose curves the estimates add up.

    Returns:
        What is on screen, as exact as a pruner is told, and the layers set by hand that it keeps.
    """
    request, strengths = allocation.request, settings.STRENGTHS
    try:
        rows = family(request, profile, np.array(strengths))
    except UserError as error:  # without strength the base stands; only the correction lacks something
        st.warning(plain(sentence(f"The correction is off: {error}")))
        strengths, rows = [0.0], allocation.exact[None]
    try:
        held = read_hand(by_hand, profile.layers)
        rows = pinned_rows(rows, held, allocation)
    except UserError as error:
        frame.error(f"{error}; until then the layers set by hand are ignored")
        held = {}
    shown = layer_means(rows, linear_parameters(profile)) if request.base.per_linear else rows
    bound = on_bounds(rows, strengths, request, profile)
    highest = bounds_of(request, profile, 0).high if request.base.measured else None
    said, about = estimated(rows, strengths, held, allocation, profile, pruner)
    frame.live(picture.picture(allocation, strengths, shown, bound, highest, held, said, view.look()))
    if frame.is_first_paint():
        view.end()
    st.caption(about)
    return rows[strengths.index(request.correction.strength)], held


def on_bounds(rows: Array, strengths: Sequence[float], request: AllocationRequest, profile: Profile) -> Array:
    """Whether each layer sits on a bound at each strength, or has a linear there, (strengths, layers)."""
    bounds = (bounds_of(request, profile, strength) for strength in strengths)
    found = np.stack([binding(row, each) for row, each in zip(rows, bounds, strict=True)])
    return found.reshape(*found.shape[:2], -1).any(-1)


def estimated(
    rows: Array,
    strengths: Sequence[float],
    held: Mapping[int, float],
    allocation: Allocation,
    profile: Profile,
    pruner: str,
) -> tuple[list[str], str]:
    """The additive estimate at each strength beside its base, its control and uniform, and what it can tell.

    Layers set by hand are set in the base and the control too: else the hand would look like the correction.
    """
    request, base = allocation.request, allocation.exact_base[None]
    others = {f"{BASE_LABELS[request.base.kind]} without correction": pinned_rows(base, held, allocation)}
    if len(strengths) > 1:
        control = "none" if request.correction.control == "reversed" else "reversed"
        turned = request.correction.model_copy(update={"control": control})
        against = family(request.model_copy(update={"correction": turned}), profile, np.array(strengths))
        others[settings.CONTROLS[control]] = pinned_rows(against, held, allocation)
    others["uniform"] = np.full_like(base, request.target)
    try:
        beside = {name: estimates(each, profile, settings.HARM, pruner) for name, each in others.items()}
        said = picture.estimated(estimates(rows, profile, settings.HARM, pruner), beside)
    except UserError as error:
        return [], plain(sentence(error))
    return said, ADDITIVE.format("linear" if rows.ndim == 3 else "layer")


def by_linear(now: Array, request: AllocationRequest, profile: Profile) -> None:
    """Draw the sparsity of layers by linears, (layers, linears)."""
    names = profile.provenance["linears"]
    bounds = bounds_of(request, profile, request.correction.strength)
    chart = linears(now, linear_parameters(profile), names, bounds, view.look())
    frame.show(chart, profile.entry.key[:6], "linears")
