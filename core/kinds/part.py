"""One part of a layer, its attention, its MLP or a head, left out, at its mean, under noise, or pruned.

`core.measure.layer_parts` finds parts in a layer.
"""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from core.base.formats import capital, per_cent
from core.base.spec import Positions, number
from core.kinds.perturbation import Injection, Kind, Stream
from core.kinds.treatments import Treated

ATTENTION, MLP, HEAD = "attention", "mlp", "head"
WRITTEN = re.compile(rf"{ATTENTION}|{MLP}|{HEAD}:(?:each|0|[1-9]\d{{0,3}})")
HELP = "attention, mlp, head:3 or head:each, every head by itself"


def head_of(part: str) -> int | None:
    """The number of a head; None of another part."""
    _, _, found = part.partition(":")
    return int(found) if found.isdecimal() else None


def label(part: str) -> str:
    """In words: `attention`, `MLP`, `head 3`."""
    return {MLP: "MLP", f"{HEAD}:each": "each head"}.get(part, part.replace(":", " "))


def the(part: str) -> str:
    """Within a sentence: `the attention`, `the MLP`, `head 3`."""
    return ("" if part.startswith(HEAD) else "the ") + label(part)


def _written(part: str) -> str:
    if not WRITTEN.fullmatch(part):
        raise ValueError(f"known parts of a layer are {ATTENTION}, {MLP} and {HEAD}:3, with the number of the head")
    return part


def _with_linears(part: str) -> str:
    if part not in (ATTENTION, MLP):
        raise ValueError(f"a head has no linears of its own: prune {ATTENTION} or {MLP}")
    return part


Part = Annotated[str, AfterValidator(_written), Field(description=HELP)]


class OfPart(Kind):
    """What is done to one part of the layer on its clean input."""

    parts = ("part",)
    varies = "part"
    last_is_rest = True
    runs = 1

    part: Part

    @property
    def short(self) -> str:
        return label(self.part) if self.varies == "part" else super().short

    @property
    def strength(self) -> float:
        """That of the family, or the number of a head, before which attention and MLP come."""
        place = {ATTENTION: -2, MLP: -1}.get(self.part) or head_of(self.part) or 0
        return float(place) if self.varies == "part" else super().strength

    def is_kin(self, other: Kind) -> bool:
        """Heads are kin to heads alone."""
        heads = [getattr(each, "part", "").startswith(HEAD) for each in (self, other)]
        return heads[0] == heads[1] and super().is_kin(other)

    def of(self, layer: int) -> str:
        return f"{the(self.part)} of layer {layer}"


class SkipPart(OfPart):
    """The part left out: it adds nothing, at every token."""

    begins = "skip"
    example = "skip:mlp"
    word = "skip, one part"
    about = "A part of the layer left out: its attention, its MLP, or one head, which then adds nothing to the stream."
    formula = r"h'_i = h_i - p_i"
    doing = "leaving {} out"

    kind: Literal["skip_part"] = "skip_part"

    @property
    def label(self) -> str:
        return f"{capital(label(self.part))} left out"

    def apply(self, at: Injection) -> Stream:
        return at.edited(self.part, lambda given: given.new_zeros(given.shape))


class Mean(OfPart):
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
        return f"{capital(label(self.part))} at its mean over tokens"

    def apply(self, at: Injection) -> Stream:
        first = int(self.positions == "after_first")

        def held(given: Stream) -> Stream:
            changed = given.clone()
            changed[:, first:] = given[:, first:].mean(1, keepdim=True)
            return changed

        return at.edited(self.part, held)


class GaussianPart(OfPart):
    """`p' = p + size * ||p|| * z / ||z||` per token for what the part gives, z standard normal."""

    parts = ("size", "part")
    varies = "size"
    begins = "gaussian"
    example = "gaussian:0.3:mlp"
    word = "gaussian, one part"
    about = "Random noise on what one part of the layer adds, whose length is a given share, the size, of that."
    formula = r"p' = p + \text{size} \cdot \lVert p \rVert \cdot z / \lVert z \rVert,\quad z \sim \mathcal N(0, I)"
    noise = True

    kind: Literal["gaussian_part"] = "gaussian_part"
    size: float = Field(gt=0, description="relative size ||p' - p|| / ||p|| for what the part gives")
    positions: Positions = "after_first"

    @property
    def label(self) -> str:
        return f"Gaussian noise on {the(self.part)}, size {number(self.size)}"

    def apply(self, at: Injection) -> Stream:
        kind = f"{self.kind} {self.part}"
        return at.edited(self.part, lambda given: at.moved(at.noise(kind, given), self.size, self.positions, given))


class ResidualPart(OfPart):
    """The layer with the linears of one part pruned and the others dense, on the clean input, at every token."""

    parts = ("pruner", "sparsity", "part")
    varies = "sparsity"
    begins = "residual"
    prunes: ClassVar[str] = "part"
    example = "residual:wanda:0.7:attention"
    word = "residual, one part"
    about = "The damage of pruning the linears of the layer's attention or of its MLP, the others dense."
    formula = r"d_{i,p} = \tilde f_{i,p}(h_{i-1}) - f_i(h_{i-1})"

    kind: Literal["residual_part"] = "residual_part"
    pruner: Treated
    sparsity: float = Field(ge=0, lt=1)
    part: Annotated[Part, AfterValidator(_with_linears)]

    @property
    def label(self) -> str:
        return f"{capital(label(self.part))} pruned by {self.treatment.label}, {per_cent(self.sparsity)} zeros"

    def apply(self, at: Injection) -> Stream:
        return at.pruned(self.treatment, self.sparsity, self.part)
