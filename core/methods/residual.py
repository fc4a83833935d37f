"""The real damage of pruning a layer."""

from typing import ClassVar, Literal

from pydantic import Field

from core.base import capital
from core.methods.perturbation import Injection, Kind, Stream
from core.methods.treatments import Share, Treated


class Residual(Kind):
    """The real thing: the layer replaced by its pruned self on the clean input, at every token."""

    parts: ClassVar[tuple[str, ...]] = ("pruner", "sparsity")
    varies = "sparsity"
    prunes = "layer"
    example = "residual:wanda:0.7"
    word = "residual"
    about = "The real damage of pruning: the layer replaced by its pruned self, on the undisturbed input."
    formula = r"d_i = \tilde f_i(h_{i-1}) - f_i(h_{i-1})"
    runs = 1

    kind: Literal["residual"] = "residual"
    pruner: Treated
    sparsity: Share = Field(ge=0, lt=1, description="of a quantiser the share of bits that its level saves")

    @property
    def name(self) -> str:
        """Name in the grammar; for a quantiser its own name and a level suffice: `quantised:3`."""
        return super().name.removeprefix("residual:" if self.treatment.budget_unit.levels else "")

    @property
    def label(self) -> str:
        return capital(self.treatment.doing(self.sparsity))

    @property
    def doing(self) -> str:
        return "rounding {} to {share}" if self.treatment.budget_unit.levels else super().doing

    def apply(self, at: Injection) -> Stream:
        return at.pruned(self.treatment, self.sparsity, *(getattr(self, part) for part in self.parts[2:]))
