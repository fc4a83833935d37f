"""Prune one linear of a layer, and repair it: whatever is said about it names it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

from torch import Tensor

from core.base.errors import Broken, UserError
from core.base.formats import either
from core.kinds.patterns import Pattern
from core.kinds.treatments import PRUNERS, REPAIRS, WITHOUT_TEXT, Statistic, Treatment
from core.models.anatomy import Linear

Statistics = Mapping[Statistic, Mapping[str, Tensor]]  # statistic -> linear -> what its inputs sum up to


def pruned(
    linear: Linear,
    layer: int,
    treatment: Treatment,
    statistics: Statistics,
    sparsity: float,
    pattern: Pattern | None = None,
    warn: Callable[[str], object] = warnings.warn,
) -> Tensor:
    """The linear's weight pruned and, where that is part of the treatment, repaired, as its module stores it.

    Args:
        layer: its index, for messages.
        statistics: each that is looked at, by linear.
        warn: told in a sentence what had to be helped along.

    Raises:
        UserError: there is no statistic of this linear, or the kernel cannot work with it.
        Broken: the statistic is not finite, or has no inverse.
    """
    where = f"layer {layer}, {linear.name}"
    seen = {each: _seen(statistics[each], linear, layer, each) for each in treatment.statistics}
    row = PRUNERS[treatment.pruner]

    def tell(text: str) -> None:
        warn(f"{where}: {text}")

    try:
        found = row.prune(linear.weight, seen.get(row.statistic), sparsity, pattern, tell)
        if treatment.repair:
            found = REPAIRS[treatment.repair].mend(linear.weight, found, seen["second_moment"], tell, seen.get("pull"))
    except Broken as broken:
        raise Broken(f"{where}: {broken}", layer) from broken
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    return linear.stored(found)


def _seen(found: Mapping[str, Tensor], linear: Linear, layer: int, statistic: Statistic) -> Tensor:
    where = f"layer {layer}, {linear.name}"
    if linear.name not in found:
        use = either(WITHOUT_TEXT)
        raise UserError(f"{where}: it is never run, so there is no {statistic} of its inputs: use {use}")
    if not found[linear.name].isfinite().all():
        raise Broken(f"{where}: its inputs are not finite: prune less before it, or use float32", layer)
    return found[linear.name].to(linear.weight.device)
