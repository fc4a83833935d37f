"""Every layer alike: the default of magnitude, Wanda and SparseGPT."""

from typing import Literal

import numpy as np

from core.base.spec import Array
from core.kinds.allocator import Allocator, Evidence


class Uniform(Allocator):
    """Every layer alike."""

    label = "Uniform"
    word = "uniform"
    about = "Every layer as sparse as the target: the allocation that every other is measured against."
    formula = r"s_l = \text{target}"
    caption = "Every layer alike: the default of magnitude pruning, Wanda and SparseGPT."
    profiled = False

    kind: Literal["uniform"] = "uniform"

    def wish(self, evidence: Evidence) -> Array:
        return np.full(evidence.units, evidence.target)
