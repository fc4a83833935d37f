"""The allocation of least total harm, from what pruning one layer at a time was measured to do. Our own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import Field

from core.base.errors import UserError
from core.base.spec import Array
from core.kinds.allocator import Allocator, Parameter
from core.kinds.treatments import OF_ONE_LAYER, USUAL, Treated
from core.plan.budget import TOLERANCE, Bounds

if TYPE_CHECKING:
    from core.plan.evidence import Curves, Evidence

OBJECTIVES = {"drift": "final drift²", "kl": "divergence", "nll": "loss"}
GRANULARITIES = {"layer": "one per layer", "linear": "one per linear"}
BUDGET = Parameter(
    "Budget", tuple(GRANULARITIES), "budget per", GRANULARITIES, quiet=True, titles={"linear": "per linear"}
)


class Response(Allocator):
    """Least total harm by measured one-layer-pruned responses; ours.

    The harm is the divergence by default: on the bundled model at 70% it served better than the squared final drift,
    as chosen on one text and seen on another (tests/bench/studies).
    """

    label = "Response"
    colours = ("#0E7490", "#5CC8E0")
    word = "response allocation"
    about = (
        "The allocation of least total harm, by what pruning each layer alone was measured to do: the budget is spent "
        "where a weight costs least."
    )
    formula = r"\min_s \textstyle\sum_i f_i(s_i)"
    caption = (
        "Ours: from what pruning each layer alone was measured to do, the allocation of least total harm for the "
        "budget. It is exact for the sum of these harms, but the layers of a pruned model do not simply add up."
    )
    measured = True

    kind: Literal["response"] = "response"
    objective: Annotated[
        Literal["drift", "kl", "nll"], Parameter("Harm by", tuple(OBJECTIVES), "harm by", OBJECTIVES)
    ] = Field("kl", description="drift, kl or nll")
    pruner: Annotated[Treated, Parameter("Pruned by", tuple(OF_ONE_LAYER), "curves from", OF_ONE_LAYER, quiet=True)] = (
        Field(USUAL, description="whose measured curves, as in wanda or wanda+refit")
    )
    granularity: Annotated[Literal["layer", "linear"], BUDGET] = Field(
        "layer", description="a budget per layer or per linear"
    )

    def wish(self, evidence: Evidence) -> Array:
        return response(self._curves(evidence), evidence.parameters, evidence.target, evidence.bounds)

    def highest(self, evidence: Evidence) -> float:
        return self._curves(evidence).highest

    def _curves(self, evidence: Evidence) -> Curves:
        return evidence.curves(self.pruner, self.objective, self.per_linear)

    @property
    def per_linear(self) -> bool:
        return self.granularity == "linear"

    @classmethod
    def quick(cls, target: float, layers: int) -> tuple[Self, ...]:
        """Harm to the output, which a drift need not be; per linear too, where linears were measured apart."""
        return cls(objective="kl"), cls(objective="kl", granularity="linear")

    @classmethod
    def full(cls, target: float, layers: int) -> tuple[Self, ...]:
        layered = (cls(objective=each) for each in ("drift", "kl", "nll"))
        return *layered, *(cls(objective=each, granularity="linear") for each in ("drift", "kl"))


def response(found: Curves, parameters: Array, target: float, bounds: Bounds) -> Array:
    """Spend the budget where a weight costs least: exact for the hulls.

    Every piece of every hull has a price, harm per pruned weight. Prices rise along a hull, so buying pieces from the
    cheapest on gives the least total; it is continuous and never lowers a layer when the target rises. Pieces of one
    price and one place are bought alike, so that equal layers end equal.

    Returns:
        (layers,) sparsity that meets the budget.

    Raises:
        UserError: the target cannot be reached inside the bounds and the measured sparsities.
    """
    bounds.check(target)
    high = min(bounds.high, found.highest)
    if target > high:
        raise UserError(
            f"target sparsity {target:g} exceeds the largest measured one, {found.highest:g}: measure a larger one"
        )
    inside = (found.sparsity > bounds.low + TOLERANCE) & (found.sparsity < high - TOLERANCE)
    grid = np.unique([bounds.low, *found.sparsity[inside], high])
    harm = np.stack([np.interp(grid, found.sparsity, row) for row in found.harm])
    width = np.diff(grid)
    price = np.diff(harm, axis=1) / width / parameters[:, None]
    price = np.maximum.accumulate(price, axis=1)  # against rounding: a later piece is never cheaper
    left = (target - bounds.low) * parameters.sum()
    bought = _bought(price, parameters[:, None] * width, left)
    return bounds.low + bought.sum(1) / parameters


def _bought(price: Array, weight: Array, left: float) -> Array:
    """How much of each piece is bought, cheapest first, until `left` is spent; all (layers, pieces)."""
    if not price.size:
        return np.zeros_like(price)
    place = np.tile(np.arange(price.shape[1]), len(price))
    order = np.lexsort((place, price.ravel()))
    alike = (np.diff(price.ravel()[order]) == 0) & (np.diff(place[order]) == 0)
    group = np.concatenate([[0], np.cumsum(~alike)])
    whole = np.bincount(group, weight.ravel()[order])
    before = np.cumsum(whole) - whole
    share = np.empty(price.size)
    share[order] = np.clip((left - before) / whole, 0, 1)[group]
    return share.reshape(price.shape) * weight
