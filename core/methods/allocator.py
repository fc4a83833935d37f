"""The base class of allocators; each has a file of its own, and `core.methods` has the table."""

from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol, Self

import numpy as np
from pydantic import Field

from core.base import Array, Spec


class Evidence(Protocol):
    """Budget and measurements that an allocator may look at; units are layers or linears.

    `core.plan.evidence.Evidence` is one, which lies above, where profiles are read. Methods raise UserError where the
    profile lacks a measurement.
    """

    @property
    def parameters(self) -> Array:
        """Prunable weights, (units,)."""

    @property
    def target(self) -> float:
        """Mean share over weights that is to be saved."""

    @property
    def bounds(self) -> tuple[float, float]:
        """Least and greatest share of a unit."""

    @property
    def units(self) -> int: ...
    @property
    def linears(self) -> list[str]:
        """Names of a layer's linears, in order."""

    def block_influence(self) -> Array:
        """Mean block influence, (layers,)."""

    def outlier_ratio(self, m: float) -> Array:
        """Share of a layer's Wanda scores above `m` times their mean, (layers,)."""

    def score(self, statistic: str) -> Array:
        """Mean or median of a layer's Wanda scores, (layers,)."""

    def alpha(self, estimator: str) -> Array:
        """Mean exponent of the spectra of a layer's linears, (layers,); NaN where none of them has one."""

    def removal(self) -> Array:
        """Output error of each linear when half of its weights are removed, (layers, linears); NaN: no such linear."""

    def layers_removal(self) -> Array:
        """Mean of `removal` over the linears of a layer, (layers,)."""

    def least_harm(self, pruner: str, objective: str, granularity: str) -> Array:
        """Shares that meet the target with the least total harm, (units,), by layer, linear, joined linears or both."""


def steps(low: float, high: float, step: float) -> tuple[float, ...]:
    """Evenly spaced numbers from low to high, both included."""
    return tuple(round(low + i * step, 6) for i in range(round((high - low) / step) + 1))


HALF_WIDTHS = steps(0, 0.3, 0.01)
HalfWidth = Annotated[float, Field(ge=0, le=0.5, description="half width of the band, sparsity units")]


@dataclass(frozen=True)
class Parameter:
    """Label and options of an allocator's field; its default, range and meaning are the field's own."""

    label: str  # of its widget
    options: tuple[float, ...] | dict[str, str]  # the steps of its slider, or names and their words
    column: str  # in a table
    key: str = ""  # in the URL, where its name is taken by another page
    quiet: bool = False  # not written where it is as usual
    searched: tuple[Any, ...] = ()  # values that a search tries, all with all of other fields; none: the usual one
    titles: dict[str, str] = field(default_factory=dict)  # option -> words that it adds to the title
    name: str = ""  # of the field, filled in by `Allocator.parameters`


class Allocator(Spec):
    """A base allocator: its parameters are fields, `Annotated` with a `Parameter` where a page can set them."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...  # the fields of a method are its own

    label: ClassVar[str]
    colours: ClassVar[tuple[str, str] | None] = None  # of its lines, on a light ground and on a dark one; else ink
    word: ClassVar[str] = ""  # its name in the glossary; none where it is not there
    about: ClassVar = ""  # one sentence, for the glossary
    formula: ClassVar = ""  # TeX
    caption: ClassVar = ""  # beside its parameters: the paper, and where its code differs
    profiled: ClassVar = True  # looks at a profile; else at the number of layers alone
    reference: ClassVar = False  # there is a code of its authors, whose numbers leave the bounds
    # goes by measured responses, of its `pruner` and `objective`: inside the bounds, and no further than was measured
    measured: ClassVar = False
    by_hand: ClassVar = False  # is no method: the numbers are given

    def wish(self, evidence: Evidence) -> Array:
        """Sparsity that the reference code computes before any clamp, (units,): the budget step follows.

        Raises:
            UserError: the profile lacks a measurement it needs.
        """
        raise NotImplementedError

    @property
    def title(self) -> str:
        """Display name: `Response`, `Response per matrix`."""
        more = [each.titles.get(getattr(self, each.name), "") for each in self.parameters()]
        return " ".join(filter(None, [self.label, *more]))

    @property
    def per_linear(self) -> bool:
        """True if each linear gets a sparsity of its own."""
        return False

    @property
    def said(self) -> dict[str, object]:
        """Parameters that the grammar writes, by name."""
        own = self.model_dump(exclude={"kind"})
        quiet = {each.name: type(self).model_fields[each.name].default for each in self.parameters() if each.quiet}
        return {name: value for name, value in own.items() if name not in quiet or value != quiet[name]}

    @classmethod
    def grid(cls, target: float, layers: int) -> tuple[Self, ...]:
        """Parameter settings that a search tries; by default the paper's grid."""
        searched = {each.name: each.searched for each in cls.parameters() if each.searched}
        return tuple(cls(**dict(zip(searched, values, strict=True))) for values in product(*searched.values()))

    @classmethod
    def parameters(cls) -> tuple[Parameter, ...]:
        """Parameters that a page can set, in order."""
        return tuple(
            replace(each, name=name)
            for name, about in cls.model_fields.items()
            for each in about.metadata
            if isinstance(each, Parameter)
        )


ROUNDING = 1e-9  # relative: scores this close are the same, and would be stretched over the whole band


def unit(score: Array) -> Array:
    """A score stretched to [0, 1]; all 0 where every layer scores the same, which the reference codes turn into NaN.

    A score that is NaN makes all NaN, for the budget step to refuse.
    """
    spread = score.max() - score.min()
    return np.zeros_like(score) if spread <= ROUNDING * np.abs(score).max() else (score - score.min()) / spread


def spared(score: Array) -> Array:
    """One minus each layer's share of all layers' scores, (layers,): a large score keeps less; all 0 without any."""
    whole = score.sum()
    return 1 - score / whole if whole else np.zeros_like(score)


def band(score: Array, target: float, half_width: float) -> Array:
    """High scores keep more weights, inside a band of width `2 * half_width`; unclipped, as the reference codes do it.

    The plain mean is the target; the band is not centred on it, so one side may leave target +- half_width.

    Args:
        score: (layers,) higher keeps more.
        target: mean sparsity.
        half_width: in sparsity units; `lam` of OWL, `alpha` of DLP.

    Returns:
        (layers,) sparsity, perhaps outside [0, 1].
    """
    share_kept = 2 * half_width * unit(score)
    return target - (share_kept - share_kept.mean())
