"""OWL (Yin et al., arXiv 2310.05175): more outliers, less sparsity."""

from typing import Annotated, Literal

from pydantic import Field

from core.base import Array
from core.methods.allocator import HALF_WIDTHS, Allocator, Evidence, HalfWidth, Parameter, band

OUTLIER_THRESHOLDS = tuple(2 + step / 2 for step in range(21))  # M: 2 to 12


class Owl(Allocator):
    """More outliers, less sparsity (arXiv 2310.05175)."""

    label = "OWL"
    colours = ("#B35C00", "#F2A65A")
    word = "OWL"
    about = (
        "An allocation that spares layers with many outliers: weights whose Wanda score is more than M times their "
        "layer's mean; lam is half the width of the band that it spreads the layers over."
    )
    formula = (
        r"c_l = \Pr[\text{score} > M \cdot \overline{\text{score}}],\quad "
        r"z_l = 2 \, \text{lam} \, \frac{c_l - \min c}{\max c - \min c},\quad s_l = \text{target} + \bar z - z_l"
    )
    caption = (
        "Yin et al., arXiv 2310.05175: a layer with more outlying Wanda scores keeps more weights. The paper promises "
        "target ± λ; its code makes a band of width 2λ that is not centred, and so does this. Its published commands "
        "use M = 5, λ = 0.08."
    )
    reference = True

    kind: Literal["owl"] = "owl"
    m: Annotated[
        float, Parameter("Outlier threshold M, × mean score", OUTLIER_THRESHOLDS, "threshold M", searched=(3, 5, 7, 10))
    ] = Field(5.0, description="outlier threshold, in multiples of the mean score, 2 to 12 in steps of 0.5")
    lam: Annotated[
        HalfWidth, Parameter("Half width λ, sparsity", HALF_WIDTHS, "λ", searched=(0.02, 0.05, 0.08, 0.1, 0.2))
    ] = 0.08

    def check(self) -> None:
        if self.m not in OUTLIER_THRESHOLDS:
            raise ValueError(f"m {self.m:g} was not counted: it goes from 2 to 12 in steps of 0.5")

    def wish(self, evidence: Evidence) -> Array:
        """The score is the share of a layer's Wanda scores above M times their mean.

        The code's default is M = 3. Where the band reaches 0 or less the code prunes 0.01 instead, which this does not.
        """
        return band(evidence.outlier_ratio(self.m), evidence.target, self.lam)
