"""Predicted perplexities as curves: only values that mean something, with intervals that fit the picture."""

from collections.abc import Iterable, Sequence
from contextlib import suppress

import numpy as np

from core.base import GUESSING, Estimate, UserError
from core.plan.allocation import Allocation, allocate
from core.requests import AllocationRequest
from core.results import Forecast
from core.show.figures.axes import limits
from core.store import Array

WIDEST = 3.0  # how far an interval is drawn beyond the predicted and measured values


def sensible(perplexities: Array) -> Array:
    """Perplexities, NaN where a model does no more than guess."""
    return np.where(perplexities < GUESSING, perplexities, np.nan)


def with_band(costs: Estimate, points: Sequence[float]) -> tuple[Array, list[Array]] | None:
    """Predicted perplexities and both ends of their interval, cut to the picture; None: none is known.

    Args:
        points: measured values in the same picture.
    """
    middle, *ends = sensible(np.array(costs[:3]))
    if not np.isfinite(middle).any():
        return None
    low, high = limits(middle, points)
    return middle, [np.clip(each, low / WIDEST, high * WIDEST) for each in ends]


def sparsities(allocations: Iterable[Allocation]) -> Array:
    """Sparsity of the layers of allocations, (allocations, layers)."""
    return np.stack([each.sparsity for each in allocations])


def costs_of(forecast: Forecast, allocations: Iterable[Allocation]) -> Estimate:
    """Predicted perplexities of allocations."""
    return forecast.perplexities(np.stack([each.exact for each in allocations]))


def costs_at(forecast: Forecast, request: AllocationRequest, targets: Sequence[float]) -> Estimate:
    """Predicted perplexity at each target; NaN where there is no such allocation, or none is predicted."""
    costs, allocations = np.full((3, len(targets)), np.nan), {}
    for at, target in enumerate(targets):
        with suppress(UserError):  # beyond the bounds, or beyond what was measured
            allocations[at] = allocate(request.replace(target=target), forecast.profile)
    if allocations:
        costs[:, list(allocations)] = costs_of(forecast, allocations.values())[:3]
    return Estimate(*costs)
