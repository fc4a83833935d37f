"""The base class of perturbations; each has a file of its own, and `core.methods` has the table."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from core.base import Fields, Positions, Spec, number, word
from core.methods.selection import Tensor
from core.methods.treatments import TREATMENTS, Treatment

Stream = Tensor  # (sequences, tokens, width)


class Injection(Protocol):
    """A layer in the clean run of some sequences, and what a perturbation may call there.

    `core.measure.perturb.Injection` is one, which lies above, where models are run.
    """

    @property
    def entry(self) -> Stream:
        """The clean stream before the layer."""

    @property
    def exit(self) -> Stream:
        """The clean stream after it."""

    def noise(self, kind: str, like: Stream | None = None) -> Stream:
        """Standard normal noise as wide as the stream, or as another tensor; each kind draws its own."""

    def shaped(self, noise: Stream) -> Stream:
        """Noise with the covariance of the layer's output."""

    def moved(self, direction: Stream, size: float, positions: Positions, start: Stream | None = None) -> Stream:
        """The clean stream, or `start`, moved by `size` of its own norm in a direction, per token."""

    def edited(self, part: str, edit: Callable[[Stream], Stream]) -> Stream:
        """The layer's output with the output of one part edited."""

    def pruned(self, treatment: Treatment, sparsity: float, linear: str | None = None) -> Stream:
        """The layer's output with its linears pruned: all, one, or those of `attention` or `mlp`."""

    def replaced(self, source: str, inside: str = "") -> Stream:
        """The output of the same layer of another checkpoint, or with its tensors whose names begin so."""


class Kind(Spec):
    """A perturbation of the residual stream at the output of its injection layer."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...  # the fields of a kind are its own

    parts: ClassVar[tuple[str, ...]] = ()  # the fields that its name is written of, in order; colons go to the last
    varies: ClassVar = ""  # the field that tells it from its family, and orders that
    example: ClassVar[str]  # as it is written
    label: ClassVar[str]  # in words, its positions left out: `Gaussian noise, size 0.3`; mostly a property
    word: ClassVar = ""  # its name in the glossary; none where it is not there
    about: ClassVar = ""  # one sentence, for the glossary
    formula: ClassVar = ""  # TeX
    noise: ClassVar = False  # drawn by a seed
    isotropic: ClassVar = False  # noise alike in every direction, whose sizes are held against each other
    prunes: ClassVar = ""  # `layer` or `linear`: what its pruner really prunes, and nothing else is done to
    covariance: ClassVar = False  # looks at the covariance of the layer's output
    compares: ClassVar = False  # its only part names another checkpoint, in which any sign may stand
    doing: ClassVar = "pruning {share} of {}"  # to what `of` says, in a sentence
    runs: ClassVar = 0  # how often it runs its injection layer itself, for its share of the cost

    @classmethod
    def first_word(cls) -> str:
        """First word of the name; kinds that differ in the number of parts may share it."""
        return cls.example.partition(":")[0]

    @property
    def name(self) -> str:
        """Name in the grammar: `gaussian:0.3`, `gaussian:0.3@all`."""
        values = map(self._written, self.parts)
        where = getattr(self, "positions", "after_first")
        return ":".join((self.first_word(), *values)) + ("" if where == "after_first" else f"@{where}")

    @property
    def _level(self) -> str:
        return self.treatment.budget_unit.phrase(self.sparsity)

    def _written(self, part: str) -> str:
        value = getattr(self, part)
        return self.treatment.budget_unit.write(value) if part == "sparsity" else word(value)

    @property
    def short(self) -> str:
        """The value that varies within its family: `0.3`, `70 %`."""
        return self._level.removesuffix(" zeros") if self.varies == "sparsity" else number(self.strength)

    @property
    def strength(self) -> float:
        """The number that orders it within its family."""
        return getattr(self, self.varies) if self.varies else 0.0

    def of(self, layer: int) -> str:
        """The perturbed thing in a sentence."""
        return f"layer {layer}"

    @property
    def treatment(self) -> Treatment | None:
        """Treatment of the layer's linears; None where they stay as they are."""
        return TREATMENTS[self.pruner] if "pruner" in type(self).model_fields else None

    @property
    def solves(self) -> bool:
        """True if it needs second moments of the linears' inputs."""
        return bool(self.treatment and self.treatment.solves)

    def is_kin(self, other: "Kind") -> bool:
        """True if only the strength differs."""
        return self.model_dump(exclude={self.varies}) == other.model_dump(exclude={self.varies})

    def sourced(self, read: Callable[[str], str]) -> Self:
        """A copy with the name of its other checkpoint mapped: to an absolute path, or to the hash of its files."""
        return self

    def told(self, provenance: Fields) -> Self:
        """A copy with the checkpoint's path as it was typed, where the spec holds a hash in its place."""
        typed = provenance.get("checkpoints", {})
        return self.sourced(lambda hashed: typed.get(hashed, hashed))

    def apply(self, at: Injection) -> Stream:
        """The perturbed output of the layer on its clean input, (sequences, tokens, width)."""
        raise NotImplementedError
