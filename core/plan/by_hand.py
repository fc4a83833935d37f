"""Single layers set by hand, the budget restored over the others."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from core.base.errors import UserError
from core.base.formats import ranges
from core.plan.budget import Bounds, project
from core.store.results import Array


def pinned(sparsity: Array, hand: Mapping[int, float], parameters: Array, target: float, bounds: Bounds) -> Array:
    """An allocation with some layers held at a value and the rest shifted by one number to meet the budget.

    Args:
        sparsity: (layers,) the allocation to start from.
        hand: layer -> its sparsity; nothing in it gives the allocation back.
        parameters: (layers,) prunable weights.

    Returns:
        (layers,) sparsity.

    Raises:
        UserError: a value outside the bounds, or one that leaves the others no way to meet the budget.
    """
    if not hand:
        return sparsity.copy()
    layers, values = np.array(list(hand)), np.array(list(hand.values()))
    held = np.isin(np.arange(len(sparsity)), layers)
    outside = (values < bounds.low) | (values > bounds.high)
    if outside.any():
        raise UserError(
            f"layer {layers[outside][0]} cannot have sparsity {values[outside][0]:g}: "
            f"the bounds are {bounds.low:g} to {bounds.high:g}"
        )
    result = sparsity.copy()
    result[layers] = values
    free = parameters[~held].sum()
    wanted = target * parameters.sum() - (result * parameters)[held].sum()
    if not bounds.low * free - 1e-9 * parameters.sum() <= wanted <= bounds.high * free + 1e-9 * parameters.sum():
        raise UserError(_impossible(layers, wanted / free if free else None, target, bounds))
    if free:
        left = float(np.clip(wanted / free, bounds.low, bounds.high))
        result[~held] = project(sparsity[~held], parameters[~held], left, bounds)
    return result


def _impossible(layers: Array, left: float | None, target: float, bounds: Bounds) -> str:
    some = f"layer{'s' if len(layers) > 1 else ''} {ranges(sorted(layers.tolist()))}"
    if left is None:
        return f"every layer is set by hand and the budget {target:g} is not met: free one layer"
    return (
        f"with {some} set by hand the others would need a mean sparsity of {left:.3f}, outside the bounds "
        f"{bounds.low:g} to {bounds.high:g}: set them nearer to the target {target:g}"
    )
