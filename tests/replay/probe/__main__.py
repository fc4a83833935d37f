"""`python -m tests.replay.probe SCRATCH FILE`: every figure of this checkout's product, as one flat JSON object.

A figure is called `kind/...`, never by a module. Adding a kind is one function and one row of the table.
"""

import json
import os
import sys
from pathlib import Path

from tests.replay.probe import committed, live

KINDS = {
    "stored": committed.stored,
    "profile": committed.profiles,
    "reason": committed.reasons,
    "allocation": committed.allocations,
    "study": committed.studies,
    "lesson": committed.lessons,
    "live": live.measurements,
    "pruning": live.prunings,
    "comparison": live.comparisons,
    "best": live.searches,
    "export": live.exports,
}


def main(scratch, file):
    """Work out every kind and write it down.

    Args:
        scratch: an empty folder, for the cache and the models of this run.
    """
    os.environ["ABSORPTION_CACHE"] = str(scratch / "cache")  # nothing is written to the project's own
    os.environ["HF_DATASETS_CACHE"] = str(scratch / "datasets")
    found = {}
    for kind, figures in KINDS.items():
        for name, value in figures(scratch):
            if f"{kind}/{name}" in found:
                raise RuntimeError(f"two figures are called {kind}/{name}")
            found[f"{kind}/{name}"] = value
    file.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
