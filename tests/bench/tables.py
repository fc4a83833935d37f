"""The README's table of results, from the committed studies: `python -m tests.bench.tables` writes it."""

from __future__ import annotations

from core.report import evidence
from tests.bench.marked import write

NAME = "the lowest perplexity"


def tables() -> dict[str, str]:
    """Name of the place in the README -> what stands there."""
    return {NAME: evidence.answer(NAME).markdown}


if __name__ == "__main__":
    write(tables())
