"""From a request and a profile to a sparsity per layer. Milliseconds; every slider ends here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core import absorption
from core import response as responses
from core.allocation import allocators, correction
from core.allocation import response as hulls
from core.allocation.budget import TOLERANCE, Bounds, binding, check_finite, met, project
from core.allocation.requests import (
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
from core.errors import UserError
from core.profiles import Profile
from core.results import Array
from core.specs import OUTLIER_THRESHOLDS


@dataclass(frozen=True, eq=False)
class Allocation:
    """A sparsity per layer and what is known of it."""

    request: AllocationRequest
    base: Array  # (layers,) before the correction
    sparsity: Array  # (layers,) after it
    parameters: Array  # (layers,) prunable weights
    bound: NDArray[np.bool_]  # (layers,) sits on a bound

    @property
    def budget(self) -> float:
        """Parameter-weighted mean sparsity."""
        return met(self.sparsity, self.parameters)


def allocate(request: AllocationRequest, profile: Profile) -> Allocation:
    """Spread the target over the layers.

    Raises:
        UserError: an impossible budget, NaN in what the allocator looks at, or a profile that lacks it; the sentence
            names what would do.
    """
    parameters = layer_parameters(profile)
    bounds = Bounds(request.low, request.high)
    wish = WISHES[type(request.base)](request.base, profile, parameters, request.target, bounds)
    check_finite(wish)
    base = wish if request.unclipped else project(wish, parameters, request.target, bounds)
    sparsity = base
    if request.correction.strength and not request.unclipped:
        direction = direction_of(request.correction, profile)
        sparsity = correction.corrected(
            base, direction, request.correction.strength, parameters, request.target, bounds
        )
    return Allocation(request, base, sparsity, parameters, binding(sparsity, bounds))


def layer_parameters(profile: Profile) -> Array:
    """Prunable weights per layer, (layers,).

    Raises:
        UserError: the model cannot be pruned.
    """
    if profile.weights is None:
        raise UserError("this model has matrix weights outside its linears: it can be measured, but not allocated for")
    return np.nansum(profile.weights.parameters, axis=1)


def direction_of(asked: Correction, profile: Profile) -> Array:
    """The shift D that drives a correction, or the control in its place: (layers,).

    Raises:
        UserError: the driving perturbation was not measured.
    """
    direction = correction.shift(absorption.gains(profile.seeds(asked.driver)).value, asked.clip)
    match asked.control:
        case "reversed":
            return correction.reversed_(direction)
        case "shuffled":
            return correction.shuffled(direction, asked.seed)
        case "ramp":
            return correction.ramp(direction)
    return direction


def estimate(sparsity: Array, profile: Profile, objective: str = "drift", pruner: str = "wanda") -> float:
    """The additive estimate: the sum of one-layer responses, in the objective's unit.

    Layers damage each other's inputs, so the true harm is another number; within one target and pruner the order of
    allocations is what it can tell.

    Raises:
        UserError: too few sparsities were measured, or a layer's sparsity exceeds the largest of them.
    """
    found = responses.of_profile(profile, pruner, objective)
    if sparsity.max() > found.highest + TOLERANCE:
        layer = int(sparsity.argmax())
        raise UserError(
            f"layer {layer} has sparsity {sparsity[layer]:.3f}, the largest measured one is {found.highest:g}: "
            "measure a larger one, or lower the upper bound"
        )
    return float(found.at(sparsity).sum())


def estimates(rows: Array, profile: Profile, objective: str = "drift", pruner: str = "wanda") -> Array:
    """The additive estimate of many allocations, (rows, layers) -> (rows,); NaN beyond what was measured.

    Raises:
        UserError: too few sparsities were measured.
    """
    found = responses.of_profile(profile, pruner, objective)
    known = np.where(rows <= found.highest + TOLERANCE, rows, np.nan)
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
    return hulls.response(responses.of_profile(profile, base.pruner, base.objective), parameters, target, bounds)


def _manual(base: Manual, profile: Profile, parameters: Array, target: float, bounds: Bounds) -> Array:
    if len(base.sparsity) != len(parameters):
        raise UserError(f"this allocation has {len(base.sparsity)} layers, the model has {len(parameters)}")
    return np.array(base.sparsity)


WISHES: dict[type, Callable[..., Array]] = {
    Uniform: _uniform,
    Owl: _owl,
    AlphaPruning: _alphapruning,
    Dlp: _dlp,
    DepthRamp: _depth_ramp,
    Response: _response,
    Manual: _manual,
}


def family(request: AllocationRequest, profile: Profile, strengths: Array) -> Array:
    """The same allocation at several correction strengths, (strengths, layers): what a slider is dragged over.

    Raises:
        UserError: as `allocate`.
    """
    still = request.correction.model_copy(update={"strength": 0.0})
    start = allocate(request.model_copy(update={"correction": still}), profile)
    if request.unclipped:
        return np.tile(start.base, (len(strengths), 1))
    direction, bounds = direction_of(request.correction, profile), Bounds(request.low, request.high)
    return np.stack(
        [
            correction.corrected(start.base, direction, float(strength), start.parameters, request.target, bounds)
            for strength in strengths
        ]
    )
