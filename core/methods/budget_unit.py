"""Units that a budget is counted in, and the levels that damage can have.

Damage of every kind is one number, the share of a dense float16 weight that it saves: of zeros it is the sparsity, of
bits what a narrower code leaves out. A layer of share 1 is left out, whatever the rest of the plan counts. So budgets,
curves and the solver know no kind; a person reads and writes amounts.
"""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from core.base import Array, UserError, brief, listed, number, per_cent
from core.methods.quantisation import HALF, QUANT_FORMATS, QuantFormat

DROPPED = "left out"
APART = 1e-7  # of a share, between types of one size: 200 bytes of a billion weights, where plans are met to 1e-9
Amounts = TypeVar("Amounts", float, Array)


class Level(NamedTuple):
    """One amount of damage that a linear can have."""

    name: str
    share: float  # of a dense weight, saved
    format: QuantFormat | None = None  # of its weights; None where they stay float16, or no format says it


class BudgetUnit(NamedTuple):
    """The unit a budget is counted in: zeros, bits per weight, GGUF bytes, or whole layers."""

    name: str
    levels: tuple[Level, ...] = ()  # of a linear, shares rising; none: any share below 1

    @property
    def shares(self) -> list[float]:
        """Share of each level."""
        return [each.share for each in self.levels]

    @property
    def names(self) -> list[str]:
        """Name of each level."""
        return [each.name for each in self.levels]

    @property
    def of_layers(self) -> bool:
        """True if whole layers are kept or dropped."""
        return DROPPED in self.names

    @property
    def bits(self) -> bool:
        """True if amounts are bits a weight; else they are shares."""
        return bool(self.levels) and not self.of_layers

    @property
    def in_gguf(self) -> bool:
        """True if its formats are those of GGUF files."""
        return any(each.format and each.format.gguf for each in self.levels)

    @property
    def unit(self) -> str:
        """Name of the amount on axes and in choices."""
        return "bits a weight" if self.bits else "layers left out" if self.levels else "zeros"

    def read(self, text: str) -> float:
        """Parse an amount or a level, as a person writes it, into a share: `0.7`; of bits `3`, `3.5` or `Q4_0`.

        Raises:
            UserError: it is no number, or no mixture of levels saves so much, or so little.
        """
        if text in self.names:
            return self.shares[self.names.index(text)]
        try:
            amount = float(text)
        except ValueError:
            raise UserError(f"{brief(text)} is no amount of {self.name}: write a number") from None
        share = 1 - amount / HALF if self.bits else amount
        if self.levels and not self.shares[0] <= share <= self.shares[-1]:
            raise UserError(f"{self.phrase(share)} cannot be met: the levels are {listed(self.names)}")
        return share

    def amount(self, share: Amounts) -> Amounts:
        """A share as a person reads it: bits a weight, or the share itself."""
        return HALF * (1 - share) if self.bits else share

    def write(self, share: float) -> str:
        """Write a share as `read` parses it: `0.7`, `3`, `3.5`, `Q4_0`."""
        near = nearest(self.levels, share)
        return near.name if near else number(round(self.amount(share), 9) if self.levels else share)

    def phrase(self, share: float) -> str:
        """A share in a sentence: `70 % zeros`, `3.5 bits`, `Q4_0`, `10 % of layers`."""
        if not self.levels:
            return f"{per_cent(share)} zeros"
        written = self.write(share)
        if not written[0].isdigit():
            return written
        return f"{written} bits" if self.bits else f"{per_cent(share)} of layers"

    def short(self, share: float) -> str:
        """The same after "at": `70 %` of zeros, for they go without saying."""
        return self.phrase(share).removesuffix(f" {ZEROS.name}")


def nearest(levels: Iterable[Level], share: float) -> Level | None:
    """The level of a share, up to rounding; None if there is none."""
    return next((each for each in levels if abs(each.share - share) < 1e-9), None)


def level_at(levels: Iterable[Level], share: float) -> Level:
    """The level of a share, up to rounding.

    Raises:
        UserError: there is none.
    """
    if level := nearest(levels, share):
        return level
    names = ", ".join(each.name for each in levels)
    raise UserError(f"no form has {HALF * (1 - share):g} bits a weight: the forms are {names}")


def in_formats(names: Iterable[str]) -> tuple[Level, ...]:
    """Levels of these number formats, shares rising."""
    formats = sorted((QUANT_FORMATS[name] for name in names), key=lambda each: each.bits_per_weight)
    alike = Counter()  # types of one size: a share stands for one of them, so each gets a little more than the last
    shares = (1 - each.bits_per_weight / HALF for each in formats)
    apart = [share + APART * (alike.update([share]) or alike[share] - 1) for share in shares]
    levels = (Level(each.name, share, each) for each, share in zip(formats, apart, strict=True))
    return tuple(sorted(levels, key=lambda level: level.share))


ZEROS = BudgetUnit("zeros")  # share of the prunable weights
# Scales and zero points apart, so that each quantiser has formats of its own for these levels; in all other units
# scales, zero points or minima are counted in.
BITS = BudgetUnit("bits", tuple(Level(str(bits), 1 - bits / HALF) for bits in (8, 4, 3, 2)))
INTEGERS = BudgetUnit(
    "integers", in_formats(name for name, each in QUANT_FORMATS.items() if each.beside and not each.gguf)
)
GGUF = BudgetUnit("gguf", in_formats(("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")))
KQUANTS = BudgetUnit("kquants", in_formats(each.name for each in QUANT_FORMATS.values() if each.in_kquants))
LAYERS = BudgetUnit("layers", (Level("kept", 0.0), Level(DROPPED, 1.0)))
# Integers, in some linears after zeros, with a bit for each weight that says whether it stays: no file format holds
# that. Stored results keep these levels; nothing new is made of them.
_AFTER_ZEROS = [(f"int{bits}g64z{zeros}", bits * (1 - zeros / 100) + 1 + (HALF + bits) / 64)
                for bits, zeros in ((4, 43), (3, 50), (3, 58), (3, 68), (3, 80))]  # fmt: skip
MIXED_GONE = "zeros and integers in one linear are no longer made, for no file format holds them"
MIXED = BudgetUnit(
    "mixed",
    tuple(
        sorted(
            (*INTEGERS.levels, *(Level(name, 1 - bits / HALF) for name, bits in _AFTER_ZEROS)),
            key=lambda level: level.share,
        )
    ),
)


def dropped_layers(shares: ArrayLike) -> list[int]:
    """Indices of layers that a plan drops: all of their weights are saved.

    Args:
        shares: (layers,) or (layers, linears).
    """
    return [layer for layer, share in enumerate(np.asarray(shares)) if np.all(share == 1)]
