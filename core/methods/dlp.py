"""DLP (arXiv 2505.23807): large mean scores, more sparsity."""

from typing import Annotated, Literal

from pydantic import Field

from core.base import Array
from core.methods.allocator import HALF_WIDTHS, Allocator, Evidence, HalfWidth, Parameter, band, spared

STATISTICS = {"mean": "mean", "median": "median"}


class Dlp(Allocator):
    """Large mean scores, more sparsity (arXiv 2505.23807)."""

    label = "DLP"
    colours = ("#5B5FC7", "#A3A6F5")
    word = "DLP"
    about = (
        "An allocation that prunes layers with a large mean Wanda score more, over a band as OWL's, alpha being half "
        "its width."
    )
    formula = (
        r"c_l = 1 - \overline{\text{score}}_l / \textstyle\sum_k \overline{\text{score}}_k,\quad "
        r"z_l = 2 \, \text{alpha} \, \frac{c_l - \min c}{\max c - \min c},\quad s_l = \text{target} + \bar z - z_l"
    )
    caption = (
        "arXiv 2505.23807: a layer with large Wanda scores is pruned more. The paper takes their median, its code the "
        "mean."
    )
    reference = True

    kind: Literal["dlp"] = "dlp"
    alpha: Annotated[
        HalfWidth, Parameter("Half width α, sparsity", HALF_WIDTHS, "half width α", searched=(0.05, 0.1, 0.15))
    ] = 0.15
    statistic: Annotated[
        Literal["mean", "median"], Parameter("Scores by", STATISTICS, "scores by", key="scores", quiet=True)
    ] = Field("mean", description="mean or median")

    def wish(self, evidence: Evidence) -> Array:
        return band(spared(evidence.score(self.statistic)), evidence.target, self.alpha)
