"""Budget moved from the layers where it costs most to those where it costs least, inside a trust region."""

from __future__ import annotations

import numpy as np

from core.allocation.budget import Bounds
from core.store.results import Array


def rooms(sparsity: Array, bounds: Bounds, most: float) -> tuple[Array, Array]:
    """How far each layer may go down and up, both (layers,) and at least 0.

    The linears of a layer move together, so the one nearest to a bound decides. A layer that starts outside a bound
    stays there or comes back.

    Args:
        sparsity: (layers,) or (layers, linears).
        most: the largest step.
    """
    rows = sparsity.reshape(len(sparsity), -1)
    below, above = rows.min(1) - bounds.low, bounds.high - rows.max(1)
    return np.clip(below, 0, most), np.clip(above, 0, most)


def slopes(less: Array, planned: float, more: Array, below: Array, above: Array) -> tuple[Array, Array]:
    """Loss per unit of sparsity below and above every layer's own, both (layers,); they never fall on the way up.

    Where measured losses fall on the way up, the slope across both steps stands for both. A loss that is not finite
    forbids its step.

    Args:
        less, more: (layers,) loss with one layer `below` less and `above` more sparse.
        planned: loss with none changed.
        below, above: (layers,) the steps that were measured; 0 where there was none, whose slope means nothing.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        down, up = (planned - less) / below, (more - planned) / above
        down = np.where((below > 0) & np.isfinite(less), down, -np.inf)
        up = np.where((above > 0) & np.isfinite(more), up, np.inf)
        across = (more - less) / (below + above)
    bent = up < down
    return np.where(bent, across, down), np.where(bent, across, up)


def exchange(down: Array, up: Array, parameters: Array, below: Array, above: Array) -> Array:
    """The change of sparsity per layer, (layers,), that lowers the loss most by these slopes and keeps the budget.

    Every layer offers two pieces of sparsity: `below` its own at the slope `down`, `above` it at the slope `up`, which
    is no smaller. Starting with every layer as low as it may be, the cheapest pieces per weight are bought until the
    budget is spent again: exact for slopes that hold throughout. Of equal prices what is already spent comes first, so
    nothing moves without a gain.

    Args:
        parameters: (layers,) prunable weights.
        below, above: (layers,) room to move, at least 0.
    """
    price = np.concatenate([down, up]) / np.tile(parameters, 2)
    weights = np.concatenate([below, above]) * np.tile(parameters, 2)
    order = np.argsort(price, kind="stable")  # pieces below come first where prices are equal
    before = np.cumsum(weights[order]) - weights[order]
    bought = np.empty_like(weights)
    bought[order] = np.clip((below * parameters).sum() - before, 0, weights[order])
    lower, upper = bought.reshape(2, -1) / parameters
    return (lower - below) + upper


def expected(change: Array, down: Array, up: Array) -> float:
    """What the slopes say a change of sparsity does to the loss, nats/token."""
    slope = np.where(change < 0, down, up)
    return float((change[change != 0] * slope[change != 0]).sum())
