"""Every layer alike: the default of magnitude, Wanda and SparseGPT."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from core.base import Array, optional_field
from core.methods.allocator import Allocator, Evidence
from core.methods.quantisation import HALF


class Uniform(Allocator):
    """Every layer alike."""

    label = "Uniform"
    word = "uniform"
    about = "Every layer as sparse as the target: the allocation that every other is measured against."
    formula = r"s_l = \text{target}"
    caption = "Every layer alike: the default of magnitude pruning, Wanda and SparseGPT."
    profiled = False

    kind: Literal["uniform"] = "uniform"
    ends: Annotated[float, Field(ge=0, le=8)] = optional_field(
        0.0, "bits of 16 that the first and the last layer keep more: a rule of thumb"
    )

    def wish(self, evidence: Evidence) -> Array:
        wish = np.full(evidence.units, evidence.target)
        if evidence.bounds == (0, 1):  # of whole layers: evenly spaced, the first half a step from the start
            wish = np.diff(np.floor(np.arange(evidence.units + 1) * evidence.target + 0.5))
        wish[[0, -1]] -= self.ends / HALF
        return wish
