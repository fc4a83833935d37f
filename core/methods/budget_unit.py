"""Units that a budget is counted in.

Damage of every kind is one number, the share of a dense float16 weight that it saves: of zeros it is the sparsity, of
bits what a narrower code leaves out. A layer of share 1 is left out, whatever the rest of the plan counts. So budgets,
curves and the solver know no kind; a person reads and writes amounts.
"""

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

import numpy as np

from core.base import Array, UserError, brief, listed, number, per_cent
from core.methods.quantisation import HALF, QUANT_FORMATS

DROPPED = "left out"
Amounts = TypeVar("Amounts", float, Array)


class BudgetUnit(NamedTuple):
    """The unit a budget is counted in: zeros, bits per weight, GGUF bytes, or whole layers."""

    name: str
    levels: Mapping[str, float] = {}  # of a linear, name -> share, rising; none: any share below 1

    @property
    def of_layers(self) -> bool:
        """True if whole layers are kept or dropped."""
        return DROPPED in self.levels

    @property
    def bits(self) -> bool:
        """True if amounts are bits a weight; else they are shares."""
        return bool(self.levels) and not self.of_layers

    @property
    def unit(self) -> str:
        """Name of the amount on axes and in choices."""
        return "bits a weight" if self.bits else "layers left out" if self.levels else "zeros"

    def read(self, text: str) -> float:
        """Parse an amount or a level, as a person writes it, into a share: `0.7`; of bits `3`, `3.5` or `Q4_0`.

        Raises:
            UserError: it is no number, or no mixture of levels saves so much, or so little.
        """
        if text in self.levels:
            return self.levels[text]
        try:
            amount, shares = float(text), [*self.levels.values()]
        except ValueError:
            raise UserError(f"{brief(text)} is no amount of {self.name}: write a number") from None
        share = 1 - amount / HALF if self.bits else amount
        if shares and not shares[0] <= share <= shares[-1]:
            raise UserError(f"{self.level(share)} cannot be met: the levels are {listed(self.levels)}")
        return share

    def amount(self, share: Amounts) -> Amounts:
        """A share as a person reads it: bits a weight, or the share itself."""
        return HALF * (1 - share) if self.bits else share

    def write(self, share: float) -> str:
        """Write a share as `read` parses it: `0.7`, `3`, `3.5`, `Q4_0`."""
        near = (name for name, each in self.levels.items() if abs(each - share) < 1e-9)
        return next(near, number(round(self.amount(share), 9) if self.levels else share))

    def level(self, share: float) -> str:
        """A share in a sentence: `70 % zeros`, `3.5 bits`, `Q4_0`, `10 % of layers`."""
        if not self.levels:
            return f"{per_cent(share)} zeros"
        written = self.write(share)
        if not written[0].isdigit():
            return written
        return f"{written} bits" if self.bits else f"{per_cent(share)} of layers"


ZEROS = BudgetUnit("zeros")  # share of the prunable weights
BITS = BudgetUnit("bits", {str(bits): 1 - bits / HALF for bits in (8, 4, 3, 2)})  # scales and zero points apart
# In all others scales, zero points or minima, and the places of zeros are counted in. Mixed: integers, in some linears
# after zeros.
MIXED = BudgetUnit(
    "mixed",
    {
        each.name: 1 - each.bits_per_weight / HALF
        for each in sorted(QUANT_FORMATS.values(), key=lambda form: -form.bits_per_weight)
        if each.beside and not each.gguf
    },
)
INTEGERS = BudgetUnit(
    "integers",
    {name: share for name, share in MIXED.levels.items() if not QUANT_FORMATS[name].zeros},
)
GGUF = BudgetUnit(
    "gguf",
    {each.name: 1 - each.bits_per_weight / HALF for each in reversed(QUANT_FORMATS.values()) if each.gguf},
)
LAYERS = BudgetUnit("layers", {"kept": 0.0, DROPPED: 1.0})


def dropped_layers(shares: Array) -> list[int]:
    """Indices of layers that a plan drops: all of their weights are saved.

    Args:
        shares: (layers,) or (layers, linears).
    """
    return [layer for layer, share in enumerate(np.asarray(shares)) if np.all(share == 1)]
