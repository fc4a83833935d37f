"""A straight line over depth: ATP (arXiv 2502.14770) and NeuroAL (arXiv 2411.07066)."""

import math
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field

from core.base import Array
from core.methods.allocator import Allocator, Evidence, Parameter, steps

STEP = 0.002  # of the grid


class DepthRamp(Allocator):
    """A straight line over depth (arXiv 2502.14770, 2411.07066)."""

    label = "Depth ramp"
    colours = ("#7A6A00", "#D9C64A")
    word = "depth ramp"
    about = "An allocation on a straight line over depth: with a positive step beta, later layers are pruned more."
    formula = r"s_l = \text{target} + \beta \, (l - \tfrac{L-1}{2})"
    caption = (
        "A straight line over depth, as in ATP (arXiv 2502.14770) and NeuroAL (arXiv 2411.07066); looks at nothing. "
        "ATP chose its β on the very test text it reports."
    )
    profiled = False
    reference = True

    kind: Literal["depth_ramp"] = "depth_ramp"
    beta: Annotated[
        float, Parameter("Step from layer to layer β, sparsity", steps(-0.02, 0.02, 0.001), "β per layer")
    ] = Field(0.01, description="step from a layer to the next, sparsity units")

    def wish(self, evidence: Evidence) -> Array:
        """The line as it is, and a falling one too.

        ATP keeps it inside 0 to 1 by a limit on beta, min(2 S, 2 (1 - S)) / (layers - 1); NeuroAL's code clamps to 0.01
        and 0.99.
        """
        return evidence.target + self.beta * (np.arange(evidence.units) - (evidence.units - 1) / 2)

    @classmethod
    def grid(cls, target: float, layers: int) -> tuple[Self, ...]:
        """Ramps of rising steepness, as published, as long as no layer would leave [0, 1)."""
        steepest = min(target, 1 - target) / max((layers - 1) / 2, 0.5)
        return tuple(cls(beta=round(STEP * each, 6)) for each in range(1, math.floor(steepest / STEP - 1e-9) + 1))
