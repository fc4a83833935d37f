"""The real damage of pruning a layer."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, ValidationInfo

from core.base import Positions, brief, capital, listed, number
from core.methods.perturbation import Injection, Kind, Stream
from core.methods.treatments import DEFAULT_PRUNER, TREATMENTS, Treated


def share_of(value: Any, about: ValidationInfo) -> Any:
    """Validate a field after `pruner`: a share as stored, or a level as a person writes it (`0.7`, `3`, `Q4_0`).

    Raises:
        ValueError: a quantiser has no such level, or a layer is left out.
    """
    pruner = about.data.get("pruner", DEFAULT_PRUNER)  # another one was refused already
    unit = TREATMENTS[pruner].budget_unit
    if unit.of_layers:
        raise ValueError(f"{pruner} leaves whole layers out: write skip")
    if not (unit.levels and isinstance(value, str)):
        return value
    if value not in unit.names:
        raise ValueError(f"{pruner} has the levels {listed(unit.names)}, not {brief(value)}")
    return unit.read(value)


Share = Annotated[float, BeforeValidator(share_of)]


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


# --- the real damage of pruning one linear of a layer ----------------------------------------------------------------


class ResidualLinear(Residual):
    """Residual of one pruned linear of the layer, the others dense."""

    parts = ("pruner", "sparsity", "linear")
    prunes = "linear"
    example = "residual_linear:wanda:0.7:mlp.down_proj"
    word = "residual, one linear"
    about = (
        "The damage of pruning one of the layer's linears, the others dense; `each` in place of its name measures them "
        "one by one."
    )
    formula = r"d_{i,j} = \tilde f_{i,j}(h_{i-1}) - f_i(h_{i-1})"

    kind: Literal["residual_linear"] = "residual_linear"  # type: ignore[assignment]  # kinds differ in this alone
    linear: str = Field(description="name of the linear inside its layer, as in mlp.down_proj; `each`: one by one")

    @property
    def label(self) -> str:
        return f"Only {self.linear.rpartition('.')[2]} {self.treatment.doing(self.sparsity)}"


# --- the direction of pruning's damage, at a chosen size -------------------------------------------------------------


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
