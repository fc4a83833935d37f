"""LSA (ICLR 2026): a layer whose outputs suffer most from removed weights is pruned most."""

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field

from core.base import Array, UserError
from core.methods.allocator import HALF_WIDTHS, Allocator, Evidence, HalfWidth, Parameter, band, spared, unit

GRANULARITIES = {"layer": "one per layer", "half": "attention and FFN apart"}
TARGETS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
WIDTHS = (0.06, 0.02, 0.04, 0.02, 0.04, 0.1, 0.15, 0.12)  # of the code, by target


class Lsa(Allocator):
    """Large errors of removed weights, more sparsity (ICLR 2026)."""

    label = "LSA"
    word = "LSA"
    about = (
        "An allocation that prunes those layers more whose linears' outputs change more when half of the weights go, "
        "one after another, over a band as OWL's of the given half width."
    )
    formula = (
        r"I_l = 1 - E_l / \textstyle\sum_k E_k,\quad "
        r"z_l = 2 \, \text{width} \, \frac{I_l - \min I}{\max I - \min I},\quad s_l = \text{target} + \bar z - z_l"
    )
    caption = (
        "ICLR 2026: a layer whose outputs suffer more from removed weights is pruned more. Its code uses another width "
        "for each target: 0.15 at 70 %, 0.1 at 60 %, 0.04 at 50 %. The profile must be measured with `--removal`."
    )
    colours = ("#46158B", "#B853FF")
    reference = True

    kind: Literal["lsa"] = "lsa"
    width: Annotated[HalfWidth, Parameter("Half width, sparsity", HALF_WIDTHS, "half width")] = 0.15
    per: Annotated[
        Literal["layer", "half"], Parameter("Budget", GRANULARITIES, "budget", titles={"half": "per half"})
    ] = Field("layer", description="layer, or half: attention and FFN apart")

    def wish(self, evidence: Evidence) -> Array:
        if not self.per_linear:
            return band(spared(evidence.layers_removal()), evidence.target, self.width)
        errors = evidence.removal()
        attention = np.array(["att" in name for name in evidence.linears])
        if attention.all() or not attention.any():
            raise UserError("no linear of this model is told by its name to be attention's: use per=layer")
        of_linears = evidence.parameters.reshape(errors.shape)
        parts = [(errors[:, part].mean(1), of_linears[:, part].sum(1)) for part in (attention, ~attention)]
        error, parameters = (np.stack(each, axis=1) for each in zip(*parts, strict=True))
        return apart(error, parameters, evidence.target, self.width)[:, np.where(attention, 0, 1)].ravel()

    @property
    def per_linear(self) -> bool:
        return self.per == "half"

    @classmethod
    def grid(cls, target: float, layers: int) -> tuple[Self, ...]:
        width = round(float(np.interp(target, TARGETS, WIDTHS)), 4)
        return tuple(cls(width=width, per=per) for per in GRANULARITIES)


def apart(error: Array, parameters: Array, target: float, width: float) -> Array:
    """Band for parts of different sizes: the larger a part, the less it is moved, so that the budget holds.

    Args:
        error, parameters: mean error and prunable weights of each part, of one shape.
    """
    importance = 2 * width * unit(spared(error))
    return target + (importance.mean() - importance) * parameters.mean() / parameters
