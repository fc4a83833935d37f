"""Perturbations of one part of a layer (attention, MLP or a head): dropped, at its mean, under noise, or pruned.

`core.models.layer_parts` finds parts in a layer.
"""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from core.base import Positions, capital, number
from core.methods.gaussian import Gaussian
from core.methods.perturbation import Injection, Kind, Stream
from core.methods.residual import Residual

ATTENTION, MLP, HEAD = "attention", "mlp", "head"
BLOCKS = ATTENTION, MLP  # what a layer adds to the stream
WRITTEN = re.compile(rf"{ATTENTION}|{MLP}|{HEAD}:(?:each|0|[1-9]\d{{0,3}})")


def head_of(part: str) -> int | None:
    """The number of a head; None for another part."""
    return int(part[5:]) if part[5:].isdecimal() else None


def label(part: str) -> str:
    """Name of a part: `attention`, `MLP`, `head 3`."""
    return {MLP: "MLP", f"{HEAD}:each": "each head"}.get(part, part.replace(":", " "))


def the(part: str) -> str:
    """Name of a part in a sentence: `the attention`, `the MLP`, `head 3`."""
    return ("" if part.startswith(HEAD) else "the ") + label(part)


def _written(part: str) -> str:
    if not WRITTEN.fullmatch(part):
        raise ValueError(f"the known parts of a layer are {ATTENTION}, {MLP} and {HEAD}:3, with the number of the head")
    return part


Part = Annotated[
    str, AfterValidator(_written), Field(description="attention, mlp, head:3 or head:each, every head by itself")
]


class OfPart(Kind):
    """A perturbation of one part of the layer on its clean input."""

    runs = 1

    part: Part

    def of(self, layer: int) -> str:
        return f"{the(self.part)} of layer {layer}"


class Replaced(OfPart):
    """A perturbation that replaces the output of a part: one family of attention and MLP, and one of heads."""

    parts = ("part",)
    varies = "part"

    @property
    def short(self) -> str:
        return label(self.part)

    @property
    def strength(self) -> float:
        """The number of a head; attention and MLP come first."""
        return {ATTENTION: -2, MLP: -1}.get(self.part) or head_of(self.part) or 0

    def is_kin(self, other: Kind) -> bool:
        return super().is_kin(other) and other.part.startswith(HEAD) == self.part.startswith(HEAD)


class SkipPart(Replaced):
    """The part left out: it adds nothing, at every token."""

    example = "skip:mlp"
    word = "skip, one part"
    about = "A part of the layer left out: its attention, its MLP, or one head, which then adds nothing to the stream."
    formula = r"h'_i = h_i - p_i"
    doing = "leaving {} out"

    kind: Literal["skip_part"] = "skip_part"

    @property
    def label(self) -> str:
        return f"{capital(self.short)} left out"

    def apply(self, at: Injection) -> Stream:
        return at.edited(self.part, lambda output: output.new_zeros(output.shape))


class Mean(Replaced):
    """The part held at its mean over the tokens of its sequence that it changes."""

    example = "mean:mlp"
    word = "mean"
    about = (
        "A part of the layer held at the mean of what it adds over the tokens of a sequence: it no longer tells tokens "
        "apart, and adds as much as usual."
    )
    formula = r"h'_{i,t} = h_{i,t} - p_{i,t} + \operatorname{mean}_t\, p_{i,t}"
    doing = "holding {} at its mean"

    kind: Literal["mean"] = "mean"
    positions: Positions = "after_first"

    @property
    def label(self) -> str:
        return f"{capital(self.short)} at its mean over tokens"

    def apply(self, at: Injection) -> Stream:
        first = int(self.positions == "after_first")

        def held(output):
            output[:, first:] = output[:, first:].mean(1, keepdim=True)
            return output

        return at.edited(self.part, held)


class GaussianPart(OfPart, Gaussian):
    """`p' = p + size * ||p|| * z / ||z||` per token for what the part gives, z standard normal."""

    parts = ("size", "part")
    example = "gaussian:0.3:mlp"
    word = "gaussian, one part"
    about = "Random noise on what one part of the layer adds, whose length is a given share, the size, of that."
    formula = r"p' = p + \text{size} \cdot \lVert p \rVert \cdot z / \lVert z \rVert,\quad z \sim \mathcal N(0, I)"
    isotropic = False  # in the stream

    kind: Literal["gaussian_part"] = "gaussian_part"  # type: ignore[assignment]  # kinds differ in this

    @property
    def label(self) -> str:
        return f"Gaussian noise on {the(self.part)}, size {number(self.size)}"

    def apply(self, at: Injection) -> Stream:
        kind = f"{self.kind} {self.part}"
        return at.edited(self.part, lambda own: at.moved(at.noise(kind, own), self.size, self.positions, own))


class ResidualPart(OfPart, Residual):
    """The layer with the linears of one part pruned and the others dense, on the clean input, at every token."""

    parts = ("pruner", "sparsity", "part")
    prunes = "part"
    example = "residual:wanda:0.7:attention"
    word = "residual, one part"
    about = "The damage of pruning the linears of the layer's attention or of its MLP, the others dense."
    formula = r"d_{i,p} = \tilde f_{i,p}(h_{i-1}) - f_i(h_{i-1})"

    kind: Literal["residual_part"] = "residual_part"  # type: ignore[assignment]  # kinds differ in this
    part: Literal["attention", "mlp"]

    @property
    def label(self) -> str:
        return f"{capital(label(self.part))} {self.treatment.doing(self.sparsity)}"


# --- a layer left out ------------------------------------------------------------------------------------------------


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
