"""The allocation itself: the live picture over strengths, with what each is predicted to cost; layers set by hand."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import streamlit as st

from core.ask.allocations import AllocationRequest
from core.base.errors import UserError
from core.base.escape import plain
from core.base.formats import sentence
from core.kinds import Manual
from core.plan.budget import Bounds, binding, pinned
from core.plan.spread import Allocation, allocate, family, linear_parameters
from core.results.anchors import Anchors
from core.show.figures import Palette
from core.show.figures.allocation import linears
from core.show.words import forecast as forecasts
from core.store.profiles import Profile
from core.store.results import Array
from pages.ui import frame, view
from pages.ui.allocate import picture, predicting, settings
from pages.ui.allocate.picture import Sweep
from pages.ui.live import figure

SHUFFLES = 5  # curves of them
BOTH = ("none", "reversed")  # the two sides of the slider


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


def dragged(
    allocation: Allocation, by_hand: str, profile: Profile, found: Anchors | None
) -> tuple[Array, Mapping[int, float]]:
    """Draw the live picture: the allocation at every strength, and what each is predicted to cost.

    Args:
        by_hand: layers set by hand, as typed.
        found: what predicts; None: nothing does.

    Returns:
        What is on screen, as exact as a pruner is told, and the layers set by hand that it keeps.
    """
    request, correction = allocation.request, allocation.request.correction
    still = request.model_copy(update={"correction": correction.model_copy(update={"strength": 0.0})})
    sweep, drawn = _drawn(still, by_hand, profile, found, view.look())
    if sweep.off:
        st.warning(plain(sentence(f"The correction is off: {sweep.off}")))
    if sweep.ignored:
        frame.error(f"{sweep.ignored}; until then the layers set by hand are ignored")
    at = sweep.frame(correction.strength, correction.control)
    frame.live(drawn, {"strength": at})
    if frame.is_first_paint():
        view.end()
    if found:
        points = [picture.POINTS] if drawn.gauge and drawn.gauge.marks else []
        st.caption(plain(" ".join([picture.BAND, *points, forecasts.basis(found)])))
    return sweep.rows[at], sweep.held


@lru_cache(maxsize=24)
def _drawn(
    request: AllocationRequest, by_hand: str, profile: Profile, found: Anchors | None, look: Palette
) -> tuple[Sweep, figure.Figure]:
    """The sweep of an allocation and its picture, made once for all readers.

    Args:
        request: without a strength, which moves nothing but the slider.
    """
    allocation = allocate(request, profile)
    sweep = swept(allocation, by_hand, profile)
    hand = None if request.base.per_linear else hand_of(sweep, allocation, found)
    return sweep, picture.picture(allocation, sweep, profile, found, hand, look)


def swept(allocation: Allocation, by_hand: str, profile: Profile) -> Sweep:
    """The allocation at every strength, with the layers set by hand where they leave the others a way to the budget."""
    request, chosen, off = allocation.request, allocation.request.correction, ""
    controls, strengths = (chosen.control,), np.array(settings.STRENGTHS)
    if chosen.control in BOTH:
        controls, strengths = BOTH, np.concatenate([-strengths[:0:-1], strengths])
    beside = [
        (control, seed)
        for control in settings.CONTROLS
        if control not in controls
        for seed in range(SHUFFLES if control == "shuffled" else 1)
    ]

    def rows_of(control: str, seed: int, strengths: Array) -> Array:
        fix = chosen.model_copy(update={"control": control, "seed": seed})
        return family(request.model_copy(update={"correction": fix}), profile, strengths)

    try:
        rows = rows_of(controls[0], chosen.seed, strengths)
        few = np.array(settings.STRENGTHS[:: picture.THINNED])
        others = [("" if seed else settings.CONTROLS[control], rows_of(control, seed, few)) for control, seed in beside]
    except UserError as error:  # without strength the base stands; only the correction lacks something
        strengths, rows, others, off = np.zeros(1), allocation.exact[None], [], str(error)
    try:
        held = read_hand(by_hand, profile.layers)
        every = [pinned_rows(each, held, allocation) for each in (rows, *(each for _, each in others))]
    except UserError as error:
        return Sweep(strengths.tolist(), controls, rows, {}, rows, others, off, str(error))
    others = [(name, each) for (name, _), each in zip(others, every[1:], strict=True)]
    return Sweep(strengths.tolist(), controls, every[0], held, rows, others, off)


def hand_of(sweep: Sweep, allocation: Allocation, found: Anchors | None) -> figure.Hand:
    """What the browser needs to set layers by hand and to predict that."""

    def moved(held: dict[int, float]) -> None:
        st.session_state["hand"] = ", ".join(f"{layer}:{value:g}" for layer, value in held.items())

    request = allocation.request
    bounds, curves = (request.low, request.high), found and predicting.curves(found)
    return figure.Hand(sweep.free, sweep.held, allocation.parameters, request.target, bounds, curves, moved)


def by_linear(now: Array, allocation: Allocation, profile: Profile) -> None:
    """Draw the sparsity of layers by linears, (layers, linears)."""
    names = profile.provenance["linears"]
    chart = linears(now, linear_parameters(profile), names, allocation.bounds, view.look())
    frame.show(chart, profile.entry.key[:6], "linears")
