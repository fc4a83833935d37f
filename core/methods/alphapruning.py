"""AlphaPruning (arXiv 2410.10912): a heavy-tailed spectrum is pruned less."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from core.base import Array
from core.methods.allocator import Allocator, Evidence, Parameter, steps, unit

ESTIMATORS = {"peak": "best tail", "hill": "Hill"}


class AlphaPruning(Allocator):
    """Heavy-tailed layers are pruned less (arXiv 2410.10912)."""

    label = "AlphaPruning"
    colours = ("#00795A", "#4FC9A4")
    word = "AlphaPruning"
    about = (
        "An allocation that spares layers whose weights have a heavy-tailed spectrum, that is a small exponent alpha, "
        "which is taken for a sign of good training."
    )
    formula = r"s_l \propto 1 - \epsilon + 2 \epsilon \, \frac{\alpha_l - \min \alpha}{\max \alpha - \min \alpha}"
    caption = (
        "arXiv 2410.10912: a layer with a heavy-tailed spectrum (small α) is pruned less; needs no text. The paper "
        "defines the Hill estimator, its code searches the tail. ε is relative to the target, λ of OWL is not."
    )
    reference = True

    kind: Literal["alphapruning"] = "alphapruning"
    epsilon: Annotated[
        float, Parameter("Relative half width ε", steps(0, 0.9, 0.01), "ε", searched=(0.1, 0.2, 0.3, 0.4, 0.5))
    ] = Field(0.3, ge=0, lt=1, description="relative half width of the band")
    estimator: Annotated[Literal["peak", "hill"], Parameter("Exponent α by", ESTIMATORS, "exponent by", quiet=True)] = (
        Field("peak", description="peak or hill")
    )

    def wish(self, evidence: Evidence) -> Array:
        """Sparsity ratios in [1 - epsilon, 1 + epsilon], scaled to the exact budget.

        The reference code does not clip, and its published settings pass 1 in places.
        """
        stretched = unit(evidence.alpha(self.estimator))
        if not stretched.any():
            return np.full(evidence.units, evidence.target)
        ratio = (1 - self.epsilon) + 2 * self.epsilon * stretched
        return ratio * evidence.target * evidence.parameters.sum() / (evidence.parameters * ratio).sum()
