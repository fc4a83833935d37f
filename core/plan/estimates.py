"""What an allocation is estimated to cost: the sum of what pruning single layers, or linears, was measured to do."""

from __future__ import annotations

import numpy as np

from core.ask.allocations import AllocationRequest
from core.base.errors import UserError
from core.base.spec import Array
from core.kinds.treatments import USUAL
from core.plan import responses
from core.plan.budget import TOLERANCE
from core.store.profiles import Profile


def judge_of(request: AllocationRequest, profile: Profile) -> str:
    """The pruner whose responses an allocation is judged by, unless another is asked for.

    That of the curves it was made from; else the first one that the profile holds curves of.
    """
    known = responses.pruners(profile, request.base.per_linear)
    return getattr(request.base, "pruner", None) or next(iter(known), USUAL)


def estimate(sparsity: Array, profile: Profile, objective: str = "drift", pruner: str = USUAL) -> float:
    """The additive estimate: the sum of one-layer responses, or of one-linear ones, in the objective's unit.

    Layers damage each other's inputs, so the true harm is another number; within one target and pruner the order of
    allocations is what it can tell. Estimates from layers and from linears are not comparable with each other.

    Args:
        sparsity: (layers,) or (layers, linears).

    Raises:
        UserError: too few sparsities were measured, or a layer's sparsity exceeds the largest of them or is negative.
    """
    found = responses.of_profile(profile, pruner, objective, per_linear=sparsity.ndim == 2)
    rows = sparsity.reshape(len(sparsity), -1)
    if rows.max() > found.highest + TOLERANCE:
        raise UserError(
            f"layer {rows.max(1).argmax()} has sparsity {rows.max():.3f}, the largest measured one is "
            f"{found.highest:g}: measure a larger one, or lower the upper bound"
        )
    if rows.min() < -TOLERANCE:
        raise UserError(f"layer {rows.min(1).argmin()} has sparsity {rows.min():.3f}: nothing below 0 can be pruned")
    return float(found.at(sparsity.ravel()).sum())


def estimates(rows: Array, profile: Profile, objective: str = "drift", pruner: str = USUAL) -> Array:
    """The additive estimate of many allocations; NaN where one leaves 0 to the largest measured sparsity.

    Args:
        rows: (rows, layers) or (rows, layers, linears).

    Returns:
        (rows,) in the objective's unit; see `estimate` for what it can tell.

    Raises:
        UserError: too few sparsities were measured.
    """
    found = responses.of_profile(profile, pruner, objective, per_linear=rows.ndim == 3)
    units = rows.reshape(len(rows), -1)
    known = np.where((units >= -TOLERANCE) & (units <= found.highest + TOLERANCE), units, np.nan)
    return sum(np.interp(known[:, i], found.sparsity, harm) for i, harm in enumerate(found.harm))
