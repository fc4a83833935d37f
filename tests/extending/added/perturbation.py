"""The stream made shorter."""

from typing import Literal

from pydantic import Field

from core.base.spec import number
from core.methods.perturbation import Injection, Kind, Stream


class Shrink(Kind):
    """`h' = (1 - size) h` at every token."""

    parts = ("size",)
    varies = "size"
    example = "shrink:0.1"
    word = "shrink"
    about = "The stream made shorter by a given share."
    formula = r"h' = (1 - \text{size}) h"

    kind: Literal["shrink"] = "shrink"
    size: float = Field(gt=0, lt=1)

    @property
    def label(self) -> str:
        return f"Stream shortened by {number(self.size)}"

    def apply(self, at: Injection) -> Stream:
        return at.exit * (1 - self.size)
