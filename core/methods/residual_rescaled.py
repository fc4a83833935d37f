"""The direction of pruning's damage, at a chosen size."""

from typing import Literal

from pydantic import Field

from core.base import Positions, number
from core.methods.perturbation import Injection, Kind, Stream
from core.methods.treatments import Share, Treated


class ResidualRescaled(Kind):
    """The direction of a real residual at a given relative size; a negative size flips it."""

    parts = ("pruner", "sparsity", "size")
    varies = "size"
    example = "residual_rescaled:wanda:0.7:-0.3"
    word = "residual, rescaled"
    about = "The direction of the damage of pruning at a chosen size; a negative size flips it."
    formula = r"h' = h + \text{size} \cdot \lVert h \rVert \cdot d_i / \lVert d_i \rVert"
    runs = 1

    kind: Literal["residual_rescaled"] = "residual_rescaled"
    pruner: Treated
    sparsity: Share = Field(gt=0, lt=1)
    size: float
    positions: Positions = "after_first"

    def check(self) -> None:
        if self.size == 0:
            raise ValueError("size 0 perturbs nothing; give a positive or negative size")

    @property
    def label(self) -> str:
        source = f"{self.treatment.label}, {self._level}"
        return f"Pruning error ({source}) at size {number(abs(self.size))}{', flipped' if self.size < 0 else ''}"

    def apply(self, at: Injection) -> Stream:
        return at.moved(at.pruned(self.treatment, self.sparsity) - at.exit, self.size, self.positions)
