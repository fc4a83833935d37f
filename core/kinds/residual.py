"""The real damage of pruning a layer."""

from typing import Literal

from pydantic import Field

from core.base.formats import per_cent
from core.kinds.perturbation import Injection, Kind, Stream
from core.kinds.treatments import Treated


class Residual(Kind):
    """The real thing: the layer replaced by its pruned self on the clean input, at every token."""

    parts = ("pruner", "sparsity")
    varies = "sparsity"
    prunes = "layer"
    example = "residual:wanda:0.7"
    word = "residual"
    about = "The real damage of pruning: the layer replaced by its pruned self, on the undisturbed input."
    formula = r"d_i = \tilde f_i(h_{i-1}) - f_i(h_{i-1})"
    runs = 1

    kind: Literal["residual"] = "residual"
    pruner: Treated
    sparsity: float = Field(ge=0, lt=1)

    @property
    def label(self) -> str:
        return f"Pruned by {self.treatment.label}, {per_cent(self.sparsity)} zeros"

    def apply(self, at: Injection) -> Stream:
        return at.pruned(self.treatment, self.sparsity, *(getattr(self, part) for part in self.parts[2:]))
