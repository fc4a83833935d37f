"""The allocation itself: the live picture over strengths, with what each is predicted to cost; layers set by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import streamlit as st

from core.ask.allocations import AllocationRequest
from core.base.errors import UserError
from core.base.escape import plain
from core.base.formats import sentence
from core.kinds import Manual
from core.plan.budget import Bounds, binding, pinned
from core.plan.spread import Allocation, allocate, bounds_of, family, layer_means, linear_parameters
from core.results import protocols
from core.results.anchors import Anchors
from core.results.evaluations import Evaluations
from core.show.figures import Palette
from core.show.figures.tensors import linears
from core.show.words import forecast as forecasts
from core.store.profiles import Profile
from core.store.results import Array
from pages.ui import frame, studies, view
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
    groups = tuple(studies.groups(profile).values())
    sweep, drawn, forecast, other = _drawn(still, by_hand, profile, found, groups, view.look())
    if sweep.off:
        st.warning(plain(sentence(f"The correction is off: {sweep.off}")))
    if sweep.ignored:
        frame.error(f"{sweep.ignored}; until then the layers set by hand are ignored")
    at = sweep.frame(correction.strength, correction.control)
    frame.live(drawn, {"strength": at})
    if frame.is_first_paint():
        view.end()
    if found:
        marks = [picture.POINTS] if forecast.measured else []
        marks += [picture.HOLLOW.format(other)] if other else []
        st.caption(plain(" ".join([picture.BAND, *marks, forecasts.basis(found)])))
    return sweep.rows[at], sweep.held


@lru_cache(maxsize=24)
def _drawn(
    request: AllocationRequest,
    by_hand: str,
    profile: Profile,
    found: Anchors | None,
    groups: tuple[Evaluations, ...],
    look: Palette,
) -> tuple[Sweep, figure.Figure, picture.Forecast | None, str]:
    """The sweep of an allocation, its picture, and where some of it was measured: made once for all readers.

    Args:
        request: without a strength, which moves nothing but the slider.
    """
    allocation = allocate(request, profile)
    sweep = swept(allocation, by_hand, profile)
    rows, strengths = sweep.rows, np.abs(sweep.strengths)
    shown = layer_means(rows, linear_parameters(profile)) if request.base.per_linear else rows
    bound = on_bounds(rows, strengths, request, profile)
    highest = bounds_of(request, profile, 0).high if request.base.measured else None
    forecast, other = predicted(sweep, allocation, found, groups) if found else (None, "")
    hand = None if request.base.per_linear else hand_of(sweep, allocation, found)
    return sweep, picture.picture(allocation, sweep, shown, bound, highest, forecast, hand, look), forecast, other


def swept(allocation: Allocation, by_hand: str, profile: Profile) -> Sweep:
    """The allocation at every strength, with the layers set by hand where they leave the others a way to the budget."""
    request, control = allocation.request, allocation.request.correction.control
    strengths, off = np.array(settings.STRENGTHS), ""

    def family_of(control: str, seed: int, strengths: Array) -> Array:
        fix = request.correction.model_copy(update={"control": control, "seed": seed})
        return family(request.model_copy(update={"correction": fix}), profile, strengths)

    try:
        rows, others = family_of(control, request.correction.seed, strengths), []
        if control in BOTH:
            turned = family_of("reversed" if control == "none" else "none", 0, strengths)
            left, right = (turned, rows) if control == "none" else (rows, turned)
            rows = np.concatenate([left[:0:-1], right])
        for each in settings.CONTROLS:
            if each != control and not (control in BOTH and each in BOTH):
                seeds = range(SHUFFLES if each == "shuffled" else 1)
                named = [settings.CONTROLS[each], *[""] * len(seeds)]
                others += [(named[n], family_of(each, n, strengths[:: picture.THINNED])) for n in seeds]
        if control in BOTH:
            strengths = np.concatenate([-strengths[:0:-1], strengths])
    except UserError as error:  # without strength the base stands; only the correction lacks something
        strengths, rows, others, off = np.zeros(1), allocation.exact[None], [], str(error)
    try:
        held = read_hand(by_hand, profile.layers)
        every = [pinned_rows(each, held, allocation) for each in (rows, *(each for _, each in others))]
    except UserError as error:
        return Sweep(strengths.tolist(), control, rows, {}, rows, others, off, str(error))
    others = [(name, each) for (name, _), each in zip(others, every[1:], strict=True)]
    return Sweep(strengths.tolist(), control, every[0], held, rows, others, off)


def hand_of(sweep: Sweep, allocation: Allocation, found: Anchors | None) -> figure.Hand:
    """What the browser needs to set layers by hand and to predict that."""

    def moved(held: dict[int, float]) -> None:
        st.session_state["hand"] = ", ".join(f"{layer}:{value:g}" for layer, value in held.items())

    request = allocation.request
    bounds, curves = (request.low, request.high), found and predicting.curves(found)
    return figure.Hand(sweep.free, sweep.held, allocation.parameters, request.target, bounds, curves, moved)


def predicted(
    sweep: Sweep, allocation: Allocation, found: Anchors, groups: tuple[Evaluations, ...]
) -> tuple[picture.Forecast, str]:
    """What a sweep is predicted and was measured to cost, and where some of it was measured."""
    request = allocation.request
    uniform = float(found.perplexities(np.full((1, len(allocation.base)), request.target)).increase[0])
    others = [(name, found.perplexities(rows).increase) for name, rows in sweep.others]
    costs, measured, other = found.perplexities(sweep.rows), [], ""
    if not sweep.held:
        base = float(costs.increase[sweep.zero])
        measured, other = predicting.corrections(groups, request, found, base)
    return picture.Forecast(costs, others, uniform, measured, protocols.short(found.study)), other


def on_bounds(rows: Array, strengths: Sequence[float], request: AllocationRequest, profile: Profile) -> Array:
    """Whether each layer sits on a bound at each strength, or has a linear there, (strengths, layers)."""
    bounds = (bounds_of(request, profile, strength) for strength in strengths)
    found = np.stack([binding(row, each) for row, each in zip(rows, bounds, strict=True)])
    return found.reshape(*found.shape[:2], -1).any(-1)


def by_linear(now: Array, request: AllocationRequest, profile: Profile) -> None:
    """Draw the sparsity of layers by linears, (layers, linears)."""
    names = profile.provenance["linears"]
    bounds = bounds_of(request, profile, request.correction.strength)
    chart = linears(now, linear_parameters(profile), names, bounds, view.look())
    frame.show(chart, profile.entry.key[:6], "linears")
