"""Noise that has the shape of the layer's own output."""

from typing import Literal

from core.base import number
from core.methods.gaussian import Gaussian
from core.methods.perturbation import Injection, Stream


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
