"""`python -m tests.faults [COMMAND ...] [--every N]`: kill commands before every file-system step; what was lost."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # a process with threads cannot be forked
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from rich.console import Console
from rich.table import Table

from core.store import cache
from tests.faults.commands import COMMANDS
from tests.faults.errors import ERRORS, refused
from tests.faults.trials import Trials

out = Console()


def main() -> int:
    asked = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    asked.add_argument("commands", nargs="*", metavar="COMMAND", help=f"of {', '.join(COMMANDS)}; none: all")
    asked.add_argument("--every", type=int, default=1, help="kill at every so manieth step only")
    given = asked.parse_args()
    table = Table("command", "steps", "kills", "lost", *ERRORS, "seconds", title="Faults")
    lost = 0
    for name in given.commands or COMMANDS:
        with tempfile.TemporaryDirectory() as folder:
            cache.HOME = Path(folder) / "nothing is committed"
            row = _row(name, Path(folder), given.every)
        lost += row[2] + sum(each != "said" for each in row[3:-1])
        table.add_row(name, *map(str, row))
    out.print(table)
    return min(lost, 1)


def _row(name: str, folder: Path, every: int) -> list:
    """Steps, kills, kills that lost something, what came of each error, seconds."""
    began = time.monotonic()
    trials = Trials(name, folder)
    steps = range(1 + (every > 1) * (every // 2), trials.whole.count + 1, every)
    found = {at: trials.kill(at) for at in steps}
    for at, said in found.items():
        if said:
            out.print(f"{name}, killed at step {at}: {said}", markup=False, soft_wrap=True)
    errors = [refused(trials, error) for error in ERRORS]
    return [trials.whole.count, len(found), sum(map(bool, found.values())), *errors, round(time.monotonic() - began)]


if __name__ == "__main__":
    sys.exit(main())
