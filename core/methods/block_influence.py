"""Block influence (ShortGPT, arXiv 2403.03853): what hardly turns the stream goes first."""

from typing import Annotated, Literal

from core.base import Array
from core.methods.allocator import HALF_WIDTHS, Allocator, Evidence, HalfWidth, Parameter, band


class BlockInfluence(Allocator):
    """High block influence, less sparsity (arXiv 2403.03853)."""

    label = "Block influence"
    colours = ("#9D174D", "#F9A8D4")
    word = "block influence"
    about = (
        "An allocation that spares layers which turn the stream: one minus the cosine between what enters a layer and "
        "what leaves it, the mean over tokens after the first."
    )
    formula = r"c_l = 1 - \overline{\cos(h_{l-1}, h_l)}"
    caption = (
        "ShortGPT, arXiv 2403.03853, leaves out the layers of the least influence, and so does this where a budget "
        "counts layers. To spread zeros by it, over a band as OWL's, is ours."
    )

    kind: Literal["block_influence"] = "block_influence"
    lam: Annotated[HalfWidth, Parameter("Half width λ, sparsity", HALF_WIDTHS, "λ")] = 0.08

    def wish(self, evidence: Evidence) -> Array:
        return band(evidence.block_influence(), evidence.target, self.lam)
