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
