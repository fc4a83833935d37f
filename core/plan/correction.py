"""The absorption-aware correction (arXiv 2606.15161, second-hand), and its controls."""

import numpy as np

from core.base import UserError
from core.plan.budget import Bounds, project
from core.plan.gains import gains_of
from core.requests import Correction
from core.store import Array, Profile

NOTHING = 1e-12  # a direction this small is rounding, and would be scaled up to the whole strength


def shift(gain: Array, clip: float) -> Array:
    """`D = -(u - mean u)` with `u = clip(ln r, +-clip)`: amplifiers negative, that is, protected.

    The last layer's gain is 1 by definition and is part of the mean.

    Args:
        gain: (layers,) ratios above 0.

    Returns:
        (layers,), mean 0; all zero where every layer has the same gain.
    """
    u = np.clip(np.log(gain), -clip, clip)
    return -(u - u.mean())


def scaled(direction: Array) -> Array:
    """`D / max|D|`, (layers,); all zero where D is nothing but rounding."""
    largest = np.abs(direction).max()
    return np.zeros_like(direction) if largest < NOTHING else direction / largest


def corrected(
    base: Array, direction: Array, strength: float, parameters: Array, target: float, bounds: Bounds
) -> Array:
    """`project(base + strength * D / max|D|)`; strength 0, or D = 0, gives the base back exactly.

    Args:
        base: (layers,) an allocation that meets the budget.
        direction: (layers,) D / max|D|, or a control in its place.
        strength: largest shift of a layer, in sparsity units. It is ours: how the paper scales D is unknown.
    """
    if strength == 0 or not direction.any():
        return base.copy()
    return project(base + strength * direction, parameters, target, bounds)


def shuffled(direction: Array, seed: int) -> Array:
    """Control: the same shifts on other layers, (layers,)."""
    return np.random.default_rng(seed).permutation(direction)


def ramp(direction: Array) -> Array:
    """Control: a straight line over depth of the same width, (layers,): is absorption more than depth?

    The width is that from the most protected layer to the least; the largest shift is another one where the
    correction does not push as far up as down.
    """
    half = (direction.max() - direction.min()) / 2
    return np.linspace(-half, half, len(direction))


def control_plan(plan: Array, weights: Array, settings: Correction) -> Array:
    """Control of a plan in whole levels: rows of levels change places with others that hold as many weights.

    Reversed, the row of a size that was spared most is spared least; the budget stays what it is.

    Args:
        plan: (rows, units) what changes places together: units alone, or all linears of a layer.
        weights: how many each holds, shaped alike.
    """
    saved, sizes = (plan * weights).sum(1), weights.sum(1)
    order = {"none": saved, "reversed": -saved}.get(
        settings.control, np.random.default_rng(settings.seed).random(len(plan))
    )
    result = np.empty_like(plan)
    result[np.lexsort((saved, sizes))] = plan[np.lexsort((order, sizes))]
    return result


def direction_of(settings: Correction, profile: Profile) -> Array:
    """The shift that drives a correction, `D / max|D|`, or the control in its place: (layers,).

    Raises:
        UserError: the driving perturbation was not measured, or a gain of it is no number above 0.
    """
    gains = gains_of(profile.seeds(settings.driver)).value
    unknown = np.flatnonzero(~(np.isfinite(gains) & (gains > 0)))
    if unknown.size:
        raise UserError(
            f"layer {unknown[0]} has no gain under {settings.driver}: drive the correction by another perturbation, or "
            "measure this one again in float32"
        )
    direction = scaled(shift(gains, settings.clip))
    controls = {  # reversed, the absorbers are protected instead
        "reversed": -direction, "shuffled": shuffled(direction, settings.seed), "ramp": ramp(direction)
    }  # fmt: skip
    return controls.get(settings.control, direction)
