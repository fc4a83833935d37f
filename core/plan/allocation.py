"""From a request and a profile to a sparsity per layer. Milliseconds; every slider ends here."""

from collections.abc import Iterable
from functools import cached_property

import numpy as np

from core.base import Array, Flags, UserError, frozen
from core.methods import Allocator
from core.plan import correction, responses
from core.plan.budget import Bounds, binding, check_finite, project, share_spent
from core.plan.evidence import Evidence
from core.plan.solvers import Choices, round_to_levels
from core.requests import AllocationRequest
from core.store import Profile

WRITTEN_TOLERANCE = 1e-6  # how far a budget that was written down may be off, with all its digits
SPARSITY_TOLERANCE = 1e-6  # how far a sparsity may be off in one allocation, whatever it is called


@frozen
class Allocation:
    """A sparsity per layer, and per linear where the budget is spread over linears."""

    request: AllocationRequest
    exact_base: Array  # before the correction; (layers,), or (layers, linears) where the budget is spread over linears
    exact: Array  # after it, for the pruner; shaped alike
    parameters: Array  # prunable weights, shaped alike
    bound: Flags  # (layers,) sits on a bound, or one of its linears does; none where none holds
    bounds: Bounds  # those that hold: the upper one may be the largest sparsity measured

    @cached_property
    def base(self) -> Array:
        """(layers,) before the correction; the mean over a layer's weights."""
        return layer_means(self.exact_base, self.parameters)

    @cached_property
    def sparsity(self) -> Array:
        """(layers,) after it."""
        return layer_means(self.exact, self.parameters)

    @property
    def budget(self) -> float:
        """Parameter-weighted mean sparsity."""
        return share_spent(self.sparsity, self.parameters.reshape(len(self.sparsity), -1).sum(1))


def allocate(request: AllocationRequest, profile: Profile) -> Allocation:
    """Spread the target over the layers, or over their linears.

    Raises:
        UserError: an impossible budget, NaN in what the allocator looks at, or a profile that lacks it; the sentence
            names what would do.
    """
    return spread_budget(request, linear_parameters(profile), profile)


def spread_budget(request: AllocationRequest, parameters: Array, profile: Profile | None = None) -> Allocation:
    """Spread the target when perhaps nothing is known of a model but the number of weights of its linears.

    Args:
        parameters: (layers, linears) prunable weights; NaN where a layer has fewer linears than others.

    Raises:
        UserError: as `allocate`; or the request looks at a profile and there is none.
    """
    if request.at_most is not None:
        raise UserError("a budget in bytes needs the size of the model: take the target from `core.plan.sizes`")
    if profile is None and (request.base.profiled or request.correction.strength):
        what = request.base.kind if request.base.profiled else "the correction"
        raise UserError(f"{what} looks at a profile: measure the model first and name its profile, or use uniform")
    of_units, base = _base(request, parameters, profile)
    if request.base.by_hand and (request.unclipped or request.budget_unit.levels):
        spent = share_spent(base, of_units)
        if abs(request.target - spent) > WRITTEN_TOLERANCE:  # its uniform twin would be no twin
            raise UserError(
                f"this allocation is written down as {request.target:.6f} of the weights and prunes {spent:.6f} of "
                f'this model\'s: write "budget": {spent:.9f} beside its numbers'
            )
    sparsity = base
    if request.budget_unit.levels:  # beside layers left out, whole layers change places
        rows = len(parameters if 1 in base else base)
        sparsity = correction.control_plan(
            base.reshape(rows, -1), of_units.reshape(rows, -1), request.correction
        ).ravel()
    if request.correction.strength and not request.unclipped:
        [sparsity] = _corrected(request, base, of_units, [request.correction.strength], profile)
    if (sparsity == 1).all():
        raise UserError(f"this leaves out all {len(parameters)} layers: lower the target")
    bounds = _bounds(request, profile)
    bound = np.any(binding(sparsity, bounds).reshape(len(parameters), -1), axis=1)
    bound &= not request.unclipped or request.base.measured
    shape = parameters.shape if request.base.per_linear else len(parameters)
    exact_base, exact, weights = (each.reshape(shape) for each in (base, sparsity, of_units))
    return Allocation(request, exact_base, exact, weights, bound, bounds)


def _base(request: AllocationRequest, parameters: Array, profile: Profile | None) -> tuple[Array, Array]:
    """Weights and base sparsity of the units of the budget, both (units,)."""
    if request.base.per_linear:
        _check_linears(request.base, parameters)
    levels = np.array(request.budget_unit.shares)
    of_units = parameters.ravel() if request.base.per_linear else np.nansum(parameters, axis=1)
    bounds = limits(request)
    wish = request.base.wish(Evidence(of_units, request.target, bounds, profile))
    check_finite(wish)
    if request.unclipped or (levels.size and (request.base.measured or request.base.by_hand)):
        return of_units, wish
    wish = project(wish, of_units, request.target, bounds)
    missed = of_units[:, None] * np.maximum(levels - wish[:, None], 0) ** 2  # no harm is known
    return of_units, round_to_levels(wish, Choices(of_units, levels, missed)) if levels.size else wish


def limits(request: AllocationRequest) -> Bounds:
    """Bounds of the request, or the ends of the levels."""
    shares = request.budget_unit.shares or [request.low, request.high]
    return Bounds(shares[0], shares[-1])


def _bounds(request: AllocationRequest, profile: Profile | None) -> Bounds:
    """Effective bounds: measured responses allow no more than the largest measured sparsity, corrected or not."""
    base, bounds = request.base, limits(request)
    if not base.measured or request.budget_unit.levels:
        return bounds
    curves = responses.of_profile(profile, base.pruner, base.objective, base.per_linear)
    return Bounds(bounds.low, min(bounds.high, curves.highest))


def _check_linears(base: Allocator, parameters: Array) -> None:
    """Refuse budgets per linear where layers differ in their linears, or an allocation of another shape."""
    if np.isnan(parameters).any():
        raise UserError("the layers of this model differ in their linears: spread the budget over layers")
    if not base.by_hand:
        return
    counts = {len(row) for row in base.sparsity}
    if len(counts) > 1:
        raise UserError("this allocation has layers with different numbers of linears: give each the same")
    here, there = (len(base.sparsity), *counts), parameters.shape
    if here != there:
        raise UserError(
            f"this allocation holds {here[0]} x {here[1]} numbers (layers x linears), the model needs "
            f"{there[0]} x {there[1]}"
        )


def _corrected(
    request: AllocationRequest, base: Array, of_units: Array, strengths: Iterable[float], profile: Profile | None
) -> Array:
    """The base shifted by the correction, the linears of a layer alike, (strengths, units)."""
    direction = correction.direction_of(request.correction, profile)
    direction = np.repeat(direction, len(base) // len(direction))
    bounds = _bounds(request, profile)
    rows = [correction.corrected(base, direction, each, of_units, request.target, bounds) for each in strengths]
    return np.stack(rows)


def layer_means(units: Array, parameters: Array) -> Array:
    """Sparsity per layer: of linears the mean over their weights, (..., layers, linears) -> (..., layers).

    Args:
        parameters: (layers, linears) prunable weights; (layers,) where the units are layers, which stay as they are.
    """
    return units if parameters.ndim == 1 else (units * parameters).sum(-1) / parameters.sum(-1)


def linear_parameters(profile: Profile) -> Array:
    """Prunable weights per linear, (layers, linears).

    Raises:
        UserError: the model cannot be pruned.
    """
    if profile.weights is None:
        raise UserError("this model has matrix weights outside its linears: it can be measured, but not allocated for")
    return profile.weights.parameters


def family(request: AllocationRequest, profile: Profile, strengths: Array) -> Array:
    """One allocation at several correction strengths, for a slider.

    Returns:
        (strengths, layers); (strengths, layers, linears) where the budget is spread over linears.

    Raises:
        UserError: as `allocate`.
    """
    parameters = linear_parameters(profile)
    of_units, base = _base(request, parameters, profile)
    if request.unclipped:
        rows = np.tile(base, (len(strengths), 1))
    else:
        rows = _corrected(request, base, of_units, map(float, strengths), profile)
    return rows.reshape(len(rows), *parameters.shape) if request.base.per_linear else rows


def same_allocation(planned: Array, exact: Array) -> bool:
    """True where two allocations are one, whatever they are called."""
    return planned.shape == exact.shape and np.allclose(planned, exact, rtol=0, atol=SPARSITY_TOLERANCE)
