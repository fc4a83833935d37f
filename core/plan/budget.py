"""Budgets met exactly inside the bounds, or refused, by shifting a wish."""

from bisect import bisect_left
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from core.base import Array, Flags, UserError, ranges

TOLERANCE = 1e-9


class Bounds(NamedTuple):
    """Least and greatest sparsity that a layer may get, fractions."""

    low: float = 0.0
    high: float = 0.95

    def check(self, target: float) -> None:
        """Refuse what cannot be.

        Raises:
            UserError: bounds out of order or out of [0, 1], or a target outside them.
        """
        if not 0 <= self.low <= self.high <= 1:
            raise UserError(f"bounds {self.low:g} to {self.high:g}: they must rise and lie in [0, 1]")
        if not self.low <= target <= self.high:
            raise UserError(
                f"target sparsity {target:g} lies outside the bounds {self.low:g} to {self.high:g}: "
                "change the target or the bounds"
            )


def share_spent(sparsity: Array, parameters: Array) -> float:
    """The budget an allocation spends: mean sparsity weighted by parameters. Both (layers,)."""
    return float(np.average(sparsity, weights=parameters))


def project(wish: Array, parameters: Array, target: float, bounds: Bounds) -> Array:
    """Shift the wish by one number, clipped to the bounds, so that the budget is met.

    A wish that meets the budget inside the bounds comes back as it is.

    Args:
        wish: (layers,) wished sparsity, any real numbers.
        parameters: (layers,) prunable weights.

    Returns:
        (layers,) sparsity.

    Raises:
        UserError: the target lies outside the bounds, or the wish is not finite.
    """
    bounds.check(target)
    check_finite(wish)
    inside = (wish >= bounds.low).all() and (wish <= bounds.high).all()
    if inside and abs(share_spent(wish, parameters) - target) <= TOLERANCE * 1e-3:
        return wish.copy()
    return np.clip(wish + _shift(wish, parameters, target, bounds), bounds.low, bounds.high)


def check_finite(wish: Array) -> None:
    """Refuse a wish that is not a number in every layer, (layers,).

    Raises:
        UserError: the first layer without one.
    """
    missing = np.flatnonzero(~np.isfinite(wish))
    if missing.size:
        raise UserError(
            f"layer {missing[0]} has no finite score to allocate by: choose uniform, or measure again in float32"
        )


def _shift(wish: Array, parameters: Array, target: float, bounds: Bounds) -> float:
    """The shift at which the spent budget, piecewise linear and rising in it, equals the target."""
    corners, whole = np.unique(np.concatenate([bounds.low - wish, bounds.high - wish])), parameters.sum()

    def spent(shift):
        return (np.clip(wish + shift, *bounds) * parameters).sum() / whole

    after = bisect_left(corners, target, key=spent)
    if after == 0 or after == len(corners):
        return float(corners[0] if after == 0 else corners[-1])
    below, above = corners[after - 1], corners[after]  # spent(below) < target <= spent(above)
    share = share_bought(target, spent(below), spent(above) - spent(below))
    return float(below + share * (above - below))


def share_bought(budget: float, before: Array, cost: Array) -> Array:
    """Share of each step, 0 to 1, that a budget buys after the cost of the steps before it."""
    return np.clip((budget - before) / cost, 0, 1)


def binding(sparsity: Array, bounds: Bounds) -> Flags:
    """True for layers on a bound, (layers,)."""
    return (sparsity <= bounds.low + TOLERANCE) | (sparsity >= bounds.high - TOLERANCE)


def shift_linears_to_means(base: Array, parameters: Array, means: Array, bounds: Bounds) -> Array:
    """Shift the linears of each layer by one number, so that inside the bounds they have the wanted mean.

    Args:
        base: (layers, linears)
        parameters: (layers, linears) prunable weights.
        means: (rows, layers) wanted.

    Returns:
        (rows, layers, linears), not yet kept inside the bounds.
    """
    shifts = []
    for units, weights, wanted in zip(base, parameters, means.T, strict=True):
        corners = np.unique(np.concatenate([bounds.low - units, bounds.high - units]))
        spent = np.average(np.clip(units + corners[:, None], *bounds), axis=1, weights=weights)
        shifts.append(np.interp(wanted, spent, corners))
    return base + np.stack(shifts, axis=1)[..., None]


def with_fixed_layers(
    sparsity: Array, hand: Mapping[int, float], parameters: Array, target: float, bounds: Bounds
) -> Array:
    """Hold some layers at a mean and shift the rest by one number to meet the budget.

    The linears of a layer that is held are shifted by one number too.

    Args:
        sparsity: (layers,) or (layers, linears), the allocation to start from, perhaps outside the bounds.
        hand: layer -> its sparsity; nothing in it gives the allocation back.
        parameters: prunable weights, shaped alike.

    Returns:
        Sparsity, shaped alike.

    Raises:
        UserError: a value outside the bounds, or one that leaves the others no way to meet the budget.
    """
    layers, values = np.array(list(hand), int), np.array(list(hand.values()))
    fixed = np.isin(np.arange(len(sparsity)), layers)
    outside = (values < bounds.low) | (values > bounds.high)
    if outside.any():
        raise UserError(
            f"layer {layers[outside][0]} cannot have sparsity {values[outside][0]:g}: "
            f"the bounds are {bounds.low:g} to {bounds.high:g}"
        )
    wish = sparsity.copy()
    for layer, value in hand.items():
        wish[layer] = value if wish.ndim == 1 else wish[layer] + _shift(wish[layer], parameters[layer], value, bounds)
    result = np.clip(wish, *bounds)
    if not hand:
        return result
    wanted, free = target * parameters.sum() - (result * parameters)[fixed].sum(), parameters[~fixed].sum()
    left = wanted / free if free else 0.0
    possible = float(np.clip(left, *bounds)) if free else 0.0
    if abs(wanted - possible * free) > TOLERANCE * parameters.sum():
        if not free:
            raise UserError(f"every layer is set by hand and the budget {target:g} is not met: free one layer")
        raise UserError(
            f"with layer{'s' if len(layers) > 1 else ''} {ranges(sorted(layers.tolist()))} set by hand the others "
            f"would need a mean sparsity of {left:.3f}, outside the bounds {bounds.low:g} to {bounds.high:g}: set them "
            f"nearer to the target {target:g}"
        )
    if free:
        others = project(wish[~fixed].ravel(), parameters[~fixed].ravel(), possible, bounds)
        result[~fixed] = others.reshape(wish[~fixed].shape)
    return result
