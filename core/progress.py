"""How long work tells the world where it is, and how the world tells it to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """A moment of a running job. `done` and `total` count units of like cost, so their ratio is honest."""

    line: str  # what is happening, in words
    done: int = 0
    total: int = 0  # 0 while it is not known
    layer: int | None = None  # the decoder layer being run
    parts: int = 0  # parts saved so far: when it grows there is more to draw
    counted: bool = True  # False for work that is not among the units: how long it takes tells nothing of the rest


Report = Callable[[Progress], None]


class Cancelled(Exception):
    """Raised by a report function to stop the work; what is finished stays saved."""


def silent(_: Progress) -> None:
    """Report to nobody."""
