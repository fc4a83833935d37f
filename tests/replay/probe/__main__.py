"""`python -m tests.replay.probe SCRATCH FILE`: every figure of this checkout's product, as one flat JSON object.

A figure is called `kind/...`, never by a module. Adding a kind is one file and one row of the table.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.replay.probe import (
    allocations,
    comparisons,
    exports,
    lessons,
    live,
    profiles,
    pruning,
    reasons,
    reports,
    searches,
    stored,
    studies,
)

KINDS: dict[str, Callable[[Path], Iterator[tuple[str, Any]]]] = {
    "stored": stored.figures,
    "profile": profiles.figures,
    "reason": reasons.figures,
    "allocation": allocations.figures,
    "study": studies.figures,
    "lesson": lessons.figures,
    "live": live.figures,
    "pruning": pruning.figures,
    "comparison": comparisons.figures,
    "best": searches.figures,
    "export": exports.figures,
    "report": reports.figures,
}


def main(scratch: Path, file: Path) -> None:
    """Work out every kind and write it down.

    Args:
        scratch: an empty folder, for the cache and the models of this run.
    """
    os.environ["ABSORPTION_CACHE"] = str(scratch / "cache")  # nothing is written to the project's own
    os.environ["HF_DATASETS_CACHE"] = str(scratch / "datasets")
    found: dict[str, Any] = {}
    for kind, figures in KINDS.items():
        for name, value in figures(scratch):
            if f"{kind}/{name}" in found:
                raise RuntimeError(f"two figures are called {kind}/{name}")
            found[f"{kind}/{name}"] = value
    file.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
