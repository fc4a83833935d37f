"""Words that verdicts and charts share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from core.analysis.comparison import Interval

FEWEST_SHUFFLES = 5  # shuffles that make a range


NARROW = 5  # per cent, of an interval whose ends get a decimal


def said(found: Interval) -> str:
    """`+12% [9, 15]`; the value alone where there is no interval."""
    if not math.isfinite(found.value):
        return "not a number"
    decimals = 1 if abs(found.value) < 20 else 0
    ends = f" [{found.low:+,.{decimals}f}, {found.high:+,.{decimals}f}]" if found.certain else ", no interval"
    return f"{found.value:+,.{decimals}f}%{ends}"


def between(found: Interval) -> str:
    """The interval in words: `a gain of 40 to 53%`, `anything from a gain of 73% to a cost of 40%`."""
    low, high = (_rounded(each, abs(found.high - found.low)) for each in (found.low, found.high))
    if found.low > 0:
        return f"a cost of {low} to {high}%"
    if found.high < 0:
        return f"a gain of {high} to {low}%"
    return f"anything from a gain of {low}% to a cost of {high}%"


def _rounded(value: float, width: float) -> str:
    """A size without its sign, with a decimal where the interval is narrow."""
    return f"{abs(value):,.{1 if width < NARROW else 0}f}"


def listed(parts: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def count(names: Sequence[str]) -> str:
    """`none`, or how many."""
    return str(len(names)) if names else "none"


def not_a_number(broken: Mapping[str, int | None]) -> list[str]:
    """A sentence for every setting whose perplexity is not a number, with the layer where that arose."""
    return [
        f"{name}: the perplexity is not a number, from layer {layer} on."
        if layer is not None
        else f"{name}: the perplexity is not a finite number, though every layer's output is."
        for name, layer in broken.items()
    ]
