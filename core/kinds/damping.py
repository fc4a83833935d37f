"""More damping where a second moment cannot be worked with, told each time and never silent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from core.base.errors import Broken

if TYPE_CHECKING:
    from torch import Tensor


def damped(
    attempt: Callable[[float], Tensor | None], shares: Sequence[float], failed: str, hopeless: str,
    warn: Callable[[str], object],
) -> Tensor:  # fmt: skip
    """What the first attempt that works gives.

    Args:
        attempt: works with a damping; None where that is too small.
        shares: dampings in the order tried, times the second moment's mean diagonal.
        failed, hopeless: what happened, and what happens even with the largest.

    Raises:
        Broken: none works.
    """
    for tried, share in enumerate(shares):
        if tried:
            warn(f"{failed}: damping raised from {shares[tried - 1]:g} to {share:g}")
        found = attempt(share)
        if found is not None:
            return found
    raise Broken(
        f"{hopeless} even with damping {shares[-1]:g} of its mean diagonal: calibrate on more tokens, in float32"
    )
