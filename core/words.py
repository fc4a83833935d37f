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


def helped(warnings: Sequence[str], stopped: Sequence[str] = ()) -> str | None:
    """What had to be helped along while pruning, and what put an end to it; None where all went well.

    Args:
        stopped: those of the warnings that pruning ended with; none where it came to its end.
    """
    mild = [each for each in warnings if each not in stopped]
    more = f" ({len(mild) - 1} more like it)" if len(mild) > 1 else ""
    said = [f"Pruning had to be helped along: {mild[0]}{more}."] if mild else []
    return " ".join([*said, *(f"Pruning broke the model: {each}." for each in stopped)]) or None
