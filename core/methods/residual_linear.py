"""The real damage of pruning one linear of a layer."""

from typing import Literal

from pydantic import Field

from core.methods.residual import Residual


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
        return f"{self.linear} alone {self.treatment.doing(self.sparsity)}"
