"""Every second layer keeps more."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from core.base.spec import Array
from core.methods.allocator import Allocator, Evidence, Parameter, steps


class Teeth(Allocator):
    """Every second layer keeps more."""

    label = "Teeth"
    word = "teeth"
    about = "An allocation that prunes every second layer less."
    formula = r"s_l = \text{target} - (-1)^l \, \text{bite}"
    caption = "Invented: every second layer keeps more."
    profiled = False

    kind: Literal["teeth"] = "teeth"
    bite: Annotated[float, Parameter("Bite, sparsity", steps(0, 0.2, 0.01), "bite", searched=(0.05, 0.1))] = Field(
        0.05, ge=0, le=0.5, description="how much more, sparsity units"
    )

    def wish(self, evidence: Evidence) -> Array:
        return evidence.target - self.bite * (-1.0) ** np.arange(evidence.units)
