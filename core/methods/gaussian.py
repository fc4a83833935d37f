"""Noise in every direction alike."""

from typing import ClassVar, Literal

from pydantic import Field

from core.base import Positions, number
from core.methods.perturbation import Injection, Kind, Stream


class Gaussian(Kind):
    """`h' = h + size * ||h|| * z / ||z||` per token, z standard normal."""

    parts: ClassVar[tuple[str, ...]] = ("size",)
    varies = "size"
    example = "gaussian:0.3"
    word = "gaussian"
    about = "Random noise whose length is a given share, the size, of each token's own vector."
    formula = r"h' = h + \text{size} \cdot \lVert h \rVert \cdot z / \lVert z \rVert,\quad z \sim \mathcal N(0, I)"
    noise = True
    isotropic = True

    kind: Literal["gaussian"] = "gaussian"
    size: float = Field(gt=0, description="relative size ||h' - h|| / ||h||")
    positions: Positions = "after_first"

    @property
    def label(self) -> str:
        return f"Gaussian noise, size {number(self.size)}"

    def apply(self, at: Injection) -> Stream:
        return at.moved(at.noise(self.kind), self.size, self.positions)


# --- noise that has the shape of the layer's own output --------------------------------------------------------------


class Covariance(Gaussian):
    """Noise like `Gaussian`, with z drawn from the empirical covariance of the layer's own output."""

    example = "covariance:0.3"
    word = "covariance"
    about = "Random noise of a given size that varies in the directions in which the layer's own output varies."
    formula = r"z \sim \mathcal N(0, \operatorname{Cov}(h_i))"
    isotropic = False
    covariance = True

    kind: Literal["covariance"] = "covariance"  # type: ignore[assignment]  # kinds differ in this

    @property
    def label(self) -> str:
        return f"Noise shaped like the layer's output, size {number(self.size)}"

    def apply(self, at: Injection) -> Stream:
        return at.moved(at.shaped(at.noise(self.kind)), self.size, self.positions)
