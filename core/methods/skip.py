"""A layer left out."""

from typing import Literal

from core.methods.perturbation import Injection, Kind, Stream


class Skip(Kind):
    """The layer left out: its input is passed on, at every token."""

    example = "skip"
    word = "skip"
    about = "The layer left out: its input is passed on."
    formula = r"h'_i = h_{i-1}"
    label = "Layer left out"
    doing = "leaving {} out"

    kind: Literal["skip"] = "skip"

    @property
    def short(self) -> str:
        return "left out"

    def apply(self, at: Injection) -> Stream:
        return at.entry
