"""From a request and a profile to a sparsity per layer. Milliseconds; every slider ends here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.allocation import allocators, correction
from core.allocation import response as hulls
from core.allocation.budget import TOLERANCE, Bounds, binding, check_finite, met, project
from core.analysis import absorption, responses
from core.analysis.responses import Curves
from core.specs.allocations import (
    AllocationRequest,
    AlphaPruning,
    Correction,
    DepthRamp,
    Dlp,
    Manual,
    Owl,
    Response,
    Uniform,
)
from core.specs.base import Spec
from core.specs.errors import UserError
from core.specs.measurements import OUTLIER_THRESHOLDS
from core.specs.pruners import USUAL
from core.store.profiles import Profile
from core.store.results import Array

WRITTEN = 1e-6  # how far a budget that was written down may be off, with all its digits


@dataclass(frozen=True, eq=False)
class Allocation:
    """A sparsity per layer and what is known of it; per linear too, where the budget is spread over linears."""

    request: AllocationRequest
    base: Array  # (layers,) before the correction; the mean over a layer's weights
    sparsity: Array  # (layers,) after it
    parameters: Array  # (layers,) prunable weights
    bound: NDArray[np.bool_]  # (layers,) sits on a bound, or one of its linears does; none where none holds
    bounds: Bounds  # those that hold: the upper one may be the largest sparsity measured
    base_linears: Array | None = None  # (layers, linears)
    linears: Array | None = None  # (layers, linears)

    @property
    def budget(self) -> float:
        """Parameter-weighted mean sparsity."""
        return met(self.sparsity, self.parameters)

    @property
    def exact(self) -> Array:
        """What a pruner is told: (layers, linears) where the budget is spread over linears, else (layers,)."""
        return self.sparsity if self.linears is None else self.linears

    @property
    def exact_base(self) -> Array:
        """The same before the correction."""
        return self.base if self.base_linears is None else self.base_linears


def allocate(request: AllocationRequest, profile: Profile) -> Allocation:
    """Spread the target over the layers, or over their linears.

    Raises:
        UserError: an impossible budget, NaN in what the allocator looks at, or a profile that lacks it; the sentence
            names what would do.
    """
    return spread(request, linear_parameters(profile), profile)


def spread(request: AllocationRequest, parameters: Array, profile: Profile | None = None) -> Allocation:
    """As `allocate`, for a model of which perhaps no more is known than how many weights its linears hold.

    Args:
        parameters: (layers, linears) prunable weights; NaN where a layer has fewer linears than others.

    Raises:
        UserError: as `allocate`; or the request looks at a profile and there is none.
    """
    if profile is None and (not isinstance(request.base, UNPROFILED) or request.correction.strength):
        what = "the correction" if isinstance(request.base, UNPROFILED) else request.base.kind
        raise UserError(f"{what} looks at a profile: measure the model first and name its profile, or use uniform")
    of_units, base = _base(request, parameters, profile)
    if isinstance(request.base, Manual) and request.unclipped:
        _check_spent(request.target, met(base, of_units))
    sparsity = base
    if request.correction.strength and not request.unclipped:
        sparsity = _corrected(request, base, of_units, request.correction.strength, profile)
    layers = np.nansum(parameters, axis=1)
    bounds = bounds_of(request, profile, request.correction.strength)
    bound = binding(sparsity, bounds).reshape(len(layers), -1).any(1)
    bound &= not request.unclipped or isinstance(request.base, Response)
    if not is_per_linear(request.base):
        return Allocation(request, base, sparsity, layers, bound, bounds)
    linears = [each.reshape(parameters.shape) for each in (base, sparsity)]
    return Allocation(request, *(layer_means(each, parameters) for each in linears), layers, bound, bounds, *linears)


def bounds_of(request: AllocationRequest, profile: Profile | None, strength: float) -> Bounds:
    """The bounds that hold: least harm goes no further than was measured, unless a correction shifts it on."""
    if not isinstance(request.base, Response) or strength:
        return Bounds(request.low, request.high)
    found = _responses(is_per_linear(request.base), profile, request.base.pruner, request.base.objective)
    return Bounds(request.low, min(request.high, found.highest))


def is_per_linear(base: Spec) -> bool:
    """Whether a base allocator gives each linear a sparsity of its own."""
    if isinstance(base, Manual):
        return bool(base.sparsity) and isinstance(base.sparsity[0], tuple)
    return getattr(base, "granularity", "layer") == "linear"


def _base(request: AllocationRequest, parameters: Array, profile: Profile | None) -> tuple[Array, Array]:
    """Weights and base sparsity of the units that the budget is spread over, both (units,)."""
    if is_per_linear(request.base):
        _check_linears(request.base, parameters)
    of_units = parameters.ravel() if is_per_linear(request.base) else np.nansum(parameters, axis=1)
    bounds = Bounds(request.low, request.high)
    wish = WISHES[type(request.base)](request.base, profile, of_units, request.target, bounds)
    check_finite(wish)
    return of_units, wish if request.unclipped else project(wish, of_units, request.target, bounds)


def _check_spent(target: float, spent: float) -> None:
    """Refuse numbers written down with another budget than they spend: their uniform twin would be no twin."""
    if abs(target - spent) > WRITTEN:
        raise UserError(
            f"this allocation is written down as {target:.6f} of the weights and prunes {spent:.6f} of this model's: "
            f'write "budget": {spent:.9f} beside its numbers'
        )


def _check_linears(base: Spec, parameters: Array) -> None:
    """Refuse budgets per linear where layers differ in their linears, or an allocation of another shape."""
    if np.isnan(parameters).any():
        raise UserError("the layers of this model differ in their linears: spread the budget over layers")
    if not isinstance(base, Manual):
        return
    given = {len(row) for row in base.sparsity}
    if len(given) > 1:
        raise UserError("this allocation has layers with different numbers of linears: give each the same")
    here, there = (len(base.sparsity), *given), parameters.shape
    if here != there:
        raise UserError(
            f"this allocation holds {here[0]} x {here[1]} numbers (layers x linears), the model needs "
            f"{there[0]} x {there[1]}"
        )


def _corrected(
    request: AllocationRequest, base: Array, of_units: Array, strength: float, profile: Profile | None
) -> Array:
    """The base shifted by the correction, the linears of a layer alike, (units,)."""
    direction = direction_of(request.correction, profile)
    direction = np.repeat(direction, len(base) // len(direction))
    bounds = Bounds(request.low, request.high)
    return correction.corrected(base, direction, strength, of_units, request.target, bounds)


def layer_means(linears: Array, parameters: Array) -> Array:
    """Sparsity per layer from that of its linears, weighted by their weights: (..., layers, linears) -> (..., layers).

    Args:
        parameters: (layers, linears) prunable weights.
    """
    return (linears * parameters).sum(-1) / parameters.sum(-1)


def linear_parameters(profile: Profile) -> Array:
    """Prunable weights per linear, (layers, linears).

    Raises:
        UserError: the model cannot be pruned.
    """
    if profile.weights is None:
        raise UserError("this model has matrix weights outside its linears: it can be measured, but not allocated for")
    return profile.weights.parameters


def layer_parameters(profile: Profile) -> Array:
    """Prunable weights per layer, (layers,).

    Raises:
        UserError: the model cannot be pruned.
    """
    return np.nansum(linear_parameters(profile), axis=1)


def direction_of(asked: Correction, profile: Profile) -> Array:
    """The shift that drives a correction, `D / max|D|`, or the control in its place: (layers,).

    Raises:
        UserError: the driving perturbation was not measured, or a gain of it is no number above 0.
    """
    gains = absorption.gains(profile.seeds(asked.driver)).value
    unknown = np.flatnonzero(~(np.isfinite(gains) & (gains > 0)))
    if unknown.size:
        raise UserError(
            f"layer {unknown[0]} has no gain under {asked.driver}: drive the correction by another perturbation, or "
            "measure this one again in float32"
        )
    direction = correction.scaled(correction.shift(gains, asked.clip))
    match asked.control:
        case "reversed":
            return correction.reversed_(direction)
        case "shuffled":
            return correction.shuffled(direction, asked.seed)
        case "ramp":
            return correction.ramp(direction)
    return direction


def judge_of(request: AllocationRequest, profile: Profile) -> str:
    """The pruner whose responses an allocation is judged by, unless another is asked for.

    That of the curves it was made from; else the first one that the profile holds curves of.
    """
    if isinstance(request.base, Response):
        return request.base.pruner
    return next(iter(responses.pruners(profile, is_per_linear(request.base))), USUAL)


def estimate(sparsity: Array, profile: Profile, objective: str = "drift", pruner: str = USUAL) -> float:
    """The additive estimate: the sum of one-layer responses, or of one-linear ones, in the objective's unit.

    Layers damage each other's inputs, so the true harm is another number; within one target and pruner the order of
    allocations is what it can tell. Estimates from layers and from linears are not comparable with each other.

    Args:
        sparsity: (layers,) or (layers, linears).

    Raises:
        UserError: too few sparsities were measured, or a layer's sparsity exceeds the largest of them or is negative.
    """
    found = _responses(sparsity.ndim == 2, profile, pruner, objective)
    rows = sparsity.reshape(len(sparsity), -1)
    if rows.max() > found.highest + TOLERANCE:
        raise UserError(
            f"layer {rows.max(1).argmax()} has sparsity {rows.max():.3f}, the largest measured one is "
            f"{found.highest:g}: measure a larger one, or lower the upper bound"
        )
    if rows.min() < -TOLERANCE:
        raise UserError(f"layer {rows.min(1).argmin()} has sparsity {rows.min():.3f}: nothing below 0 can be pruned")
    return float(found.at(sparsity.ravel()).sum())


def _responses(per_linear: bool, profile: Profile, pruner: str, objective: str) -> Curves:
    return (responses.of_linears if per_linear else responses.of_profile)(profile, pruner, objective)


def estimates(rows: Array, profile: Profile, objective: str = "drift", pruner: str = USUAL) -> Array:
    """The additive estimate of many allocations; NaN where one leaves 0 to the largest measured sparsity.

    Args:
        rows: (rows, layers) or (rows, layers, linears).

    Returns:
        (rows,) in the objective's unit; see `estimate` for what it can tell.

    Raises:
        UserError: too few sparsities were measured.
    """
    found = _responses(rows.ndim == 3, profile, pruner, objective)
    units = rows.reshape(len(rows), -1)
    known = np.where((units >= -TOLERANCE) & (units <= found.highest + TOLERANCE), units, np.nan)
    return sum(np.interp(known[:, i], found.sparsity, harm) for i, harm in enumerate(found.harm))


def _uniform(_: Uniform, profile: Profile, parameters: Array, target: float, bounds: Bounds) -> Array:
    return allocators.uniform(len(parameters), target)


def _owl(base: Owl, profile: Profile, parameters: Array, target: float, bounds: Bounds) -> Array:
    return allocators.owl(profile.scores.outlier_ratio[:, OUTLIER_THRESHOLDS.index(base.m)], target, base.lam)


def _alphapruning(base: AlphaPruning, profile: Profile, parameters: Array, target: float, bounds: Bounds) -> Array:
    of_linears = getattr(profile.weights, f"alpha_{base.estimator}")
    known = ~np.isnan(of_linears)
    with np.errstate(invalid="ignore"):  # a layer without any stays NaN, which is refused
        alpha = np.where(known, of_linears, 0).sum(1) / known.sum(1)
    return allocators.alphapruning(alpha, parameters, target, base.epsilon)


def _dlp(base: Dlp, profile: Profile, parameters: Array, target: float, bounds: Bounds) -> Array:
    return allocators.dlp(getattr(profile.scores, base.statistic), target, base.alpha)


def _depth_ramp(base: DepthRamp, profile: Profile, parameters: Array, target: float, bounds: Bounds) -> Array:
    return allocators.depth_ramp(len(parameters), target, base.beta)


def _response(base: Response, profile: Profile, parameters: Array, target: float, bounds: Bounds) -> Array:
    found = _responses(is_per_linear(base), profile, base.pruner, base.objective)
    return hulls.response(found, parameters, target, bounds)


def _manual(base: Manual, profile: Profile, parameters: Array, target: float, bounds: Bounds) -> Array:
    return allocators.manual(base.sparsity, len(parameters))


WISHES: dict[type, Callable[..., Array]] = {
    Uniform: _uniform,
    Owl: _owl,
    AlphaPruning: _alphapruning,
    Dlp: _dlp,
    DepthRamp: _depth_ramp,
    Response: _response,
    Manual: _manual,
}


UNPROFILED = (Uniform, DepthRamp, Manual)  # these look at nothing but the number of layers


def family(request: AllocationRequest, profile: Profile, strengths: Array) -> Array:
    """The same allocation at several correction strengths, (strengths, layers): what a slider is dragged over.

    Raises:
        UserError: as `allocate`.
    """
    rows = exact_family(request, profile, strengths)
    return layer_means(rows, linear_parameters(profile)) if is_per_linear(request.base) else rows


def exact_family(request: AllocationRequest, profile: Profile, strengths: Array) -> Array:
    """As `family`; (strengths, layers, linears) where the budget is spread over linears.

    Raises:
        UserError: as `allocate`.
    """
    parameters = linear_parameters(profile)
    of_units, base = _base(request, parameters, profile)
    rows = np.stack(
        [
            base if request.unclipped else _corrected(request, base, of_units, float(strength), profile)
            for strength in strengths
        ]
    )
    return rows.reshape(len(rows), *parameters.shape) if is_per_linear(request.base) else rows
