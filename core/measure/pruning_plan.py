"""What a walk is to do, and whether it can be done: no tensors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.base.errors import UserError
from core.kinds.patterns import Pattern
from core.kinds.treatments import Treatment, treatment
from core.store.results import Array

if TYPE_CHECKING:
    from core.models.anatomy import Linear


@dataclass(frozen=True, eq=False)
class Plan:
    """How much goes where, and by which pruner."""

    pruner: str
    sparsity: Array  # (layers,) one for all linears of a layer, or (layers, linears)
    pattern: Pattern | None = None
    true_sequential: bool = False  # linears of a layer in turn, each judged on what the pruned ones before it give
    repair: str | None = None  # what is done to the weights that stay

    @property
    def treatment(self) -> Treatment:
        return treatment(self.pruner, self.repair)


def check(plan: Plan, layers: int, linears: int) -> Array:
    """The sparsity of every linear, (layers, linears).

    Raises:
        UserError: a sparsity for another number of layers or linears, outside [0, 1), or not the pattern's own.
    """
    given = np.asarray(plan.sparsity, dtype=float)
    if given.shape not in ((layers,), (layers, linears)):
        raise UserError(
            f"the plan has sparsities of shape {given.shape} for a model of {layers} layers with {linears} linears: "
            f"give one for every layer, or one for every layer and linear"
        )
    wanted = np.broadcast_to(given if given.ndim == 2 else given[:, None], (layers, linears))
    wrong = ~((wanted >= 0) & (wanted < 1))  # NaN is wrong too
    if wrong.any():
        layer, linear = np.argwhere(wrong)[0]
        raise UserError(f"the sparsity of layer {layer} is {wanted[layer, linear]:g}: it must lie from 0 to below 1")
    if plan.pattern and not np.allclose(wanted, plan.pattern.sparsity, rtol=0, atol=1e-9):
        layer, linear = np.argwhere(~np.isclose(wanted, plan.pattern.sparsity, rtol=0, atol=1e-9))[0]
        name, fixed = plan.pattern.name, plan.pattern.sparsity
        raise UserError(
            f"{name} fixes every layer's sparsity at {fixed:g}: the plan has {wanted[layer, linear]:g} in layer {layer}"
        )
    return wanted


def check_widths(pattern: Pattern, layers: Iterable[Iterable[Linear]]) -> None:
    """Whether a pattern fits every linear of every layer.

    Raises:
        UserError: a linear's inputs do not fall into whole groups.
    """
    for index, linears in enumerate(layers):
        for linear in linears:
            pattern.check_width(linear.weight.shape[1], f"{linear.name} of layer {index}")
