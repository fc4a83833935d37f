"""Prune one linear of a layer: whatever is said about it names it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

from torch import Tensor

from core.models.anatomy import Linear
from core.specs.errors import Broken, UserError
from core.specs.formats import either
from core.specs.patterns import Pattern
from core.specs.pruners import WITHOUT_TEXT, PrunerRow, Statistic


def pruned(
    linear: Linear,
    layer: int,
    pruner: PrunerRow,
    statistics: Mapping[str, Tensor],
    sparsity: float,
    pattern: Pattern | None = None,
    warn: Callable[[str], object] = warnings.warn,
) -> Tensor:
    """The linear's pruned weight, in the layout and dtype its module stores.

    Args:
        layer: its index, for messages.
        statistics: by linear, what the pruner looks at; nothing where it looks at none.
        warn: told in a sentence what had to be helped along.

    Raises:
        UserError: there is no statistic of this linear, or the kernel cannot work with it.
        Broken: the statistic is not finite, or has no inverse.
    """
    where = f"layer {layer}, {linear.name}"
    seen = _seen(statistics, linear, layer, pruner.statistic) if pruner.reads_text else None
    try:
        found = pruner.prune(linear.weight, seen, sparsity, pattern, lambda text: warn(f"{where}: {text}"))
    except Broken as broken:
        raise Broken(f"{where}: {broken}", layer) from broken
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    return linear.stored(found)


def _seen(statistics: Mapping[str, Tensor], linear: Linear, layer: int, statistic: Statistic) -> Tensor:
    where = f"layer {layer}, {linear.name}"
    if linear.name not in statistics:
        use = either(WITHOUT_TEXT)
        raise UserError(f"{where}: it is never run, so there is no {statistic} of its inputs: use {use}")
    found = statistics[linear.name]
    if not found.isfinite().all():
        raise Broken(f"{where}: its inputs are not finite: prune less before it, or use float32", layer)
    return found.to(linear.weight.device)
