"""What a page showed when a report was asked for: the report opens there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Seen:
    """Choices of the page; None: the report chooses itself."""

    perturbation: str | None = None
    layer: int | None = None


NOTHING = Seen()
