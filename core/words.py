"""How numbers and warnings are written in sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence


def digits(value: float, count: int = 2) -> str:
    """A number with so many significant digits and no exponent where it can be avoided."""
    if not math.isfinite(value):
        return "not known"
    rounded = float(f"{value:.{count - 1}e}")
    decimals = max(0, count - 1 - math.floor(math.log10(abs(rounded)))) if rounded else 0
    return f"{rounded:,.{decimals}f}" if decimals <= 5 else f"{rounded:.{count - 1}e}"


def helped(warnings: Sequence[str]) -> str | None:
    """What had to be helped along while pruning, in one sentence; None where nothing had to."""
    if not warnings:
        return None
    more = f" ({len(warnings) - 1} more like it)" if len(warnings) > 1 else ""
    return f"Pruning had to be helped along: {warnings[0]}{more}."
