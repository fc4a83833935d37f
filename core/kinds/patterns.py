"""N kept of M: the pattern that sparse tensor cores want."""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.base.errors import UserError
from core.base.escape import brief


@dataclass(frozen=True)
class Pattern:
    """In every group of `of` consecutive inputs of a row, `kept` weights stay.

    Reference codes of Wanda, OWL and SparseGPT name the count that is pruned first; hardware, and this program, the
    count that is kept. For 2:4 and 4:8 both mean the same.
    """

    kept: int
    of: int

    @property
    def sparsity(self) -> float:
        return 1 - self.kept / self.of

    @property
    def name(self) -> str:
        return f"{self.kept}:{self.of}"

    def check_width(self, columns: int, linear: str = "a linear") -> None:
        """Raise UserError unless the inputs of a linear fall into whole groups."""
        if columns % self.of:
            raise UserError(f"{self.name} does not fit {linear}: its {columns} inputs are no multiple of {self.of}")


def pattern(text: str) -> Pattern:
    """Read `2:4`.

    Raises:
        UserError: not two whole numbers, the first (kept) above 0 and below the second.
    """
    found = re.fullmatch(r"\s*(\d{1,18})\s*:\s*(\d{1,18})\s*", text)
    if not found or not 0 < int(found[1]) < int(found[2]):
        raise UserError(f"{brief(text)} is not a pattern: write N:M, N weights kept of every M, as in 2:4")
    return Pattern(int(found[1]), int(found[2]))
