"""How far long work is, and how it is told to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """A moment of running work. `done` and `total` count units that take alike long, so their ratio is honest."""

    line: str = ""  # what is happening, in words
    done: int = 0
    total: int = 0  # 0 while it is not known
    layer: int | None = None  # the decoder layer being run
    parts: int = 0  # parts saved so far: when it grows there is more to draw
    flop: int | None = None  # million FLOP behind what is done; None: the units are just that


Report = Callable[[Progress], None]


class Cancelled(Exception):
    """Raised by a report function to stop the work; what is finished stays saved."""


def silent(_: Progress) -> None:
    """Report to nobody."""
