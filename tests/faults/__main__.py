"""`python -m tests.faults [COMMAND ...] [--every N]`: kill commands before every file-system step; what was lost."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # a process with threads cannot be forked
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from rich.console import Console
from rich.table import Table

from core.store import cache
from tests.faults.commands import COMMANDS
from tests.faults.errors import ERRORS, refused
from tests.faults.trials import Trials

ABREAST = 2  # processes that share the steps of a command
out = Console()


def main() -> int:
    asked = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    asked.add_argument("commands", nargs="*", metavar="COMMAND", help=f"of {', '.join(COMMANDS)}; none: all")
    asked.add_argument("--every", type=int, default=1, help="kill at every so manieth step only")
    asked.add_argument("--kills", action="store_true", help="kill only: no full disk, no closed one")
    asked.add_argument("--record", type=Path, help="write each outcome to a file, and go on where it ends")
    given = asked.parse_args()
    errors = [] if given.kills else list(ERRORS)
    table = Table("command", "steps", "kills", "lost", *errors, title="Faults")
    lost = 0
    with tempfile.TemporaryDirectory() as folder:
        record = Record(given.record or Path(folder) / "record.jsonl")
        for name in given.commands or COMMANDS:
            _abreast(name, given.every, errors, record)
            row = _row(name, errors, record)
            lost += row[2] + (not row[1]) + sum(each != "said" for each in row[3:])
            table.add_row(name, *map(str, row))
    out.print(table)
    return min(lost, 1)


class Record:
    """What came of each trial, a line each, `[command, trial, outcome]`: of one commit; several processes add to it."""

    def __init__(self, path: Path):
        self.path = path
        path.touch()

    def add(self, *line: object) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def of(self, name: str) -> dict[int | str, int | str | None]:
        """`steps` -> how many; step of a kill, or error -> what was lost, empty where nothing was, None: no kill."""
        lines = map(json.loads, self.path.read_text(encoding="utf-8").splitlines())
        return {trial: outcome for command, trial, outcome in lines if command == name}


def _abreast(name: str, every: int, errors: list[str], record: Record) -> None:
    """Do the trials of a command in several processes.

    Raises:
        ChildProcessError: one of them failed.
    """
    fork = multiprocessing.get_context("fork")
    shares = [fork.Process(target=_share, args=(name, number, every, errors, record)) for number in range(ABREAST)]
    for each in shares:
        each.start()
    for each in shares:
        each.join()
    if any(each.exitcode for each in shares):
        raise ChildProcessError(f"not every trial of {name} could be made: see above")


def _share(name: str, number: int, every: int, errors: list[str], record: Record) -> None:
    """Every so manieth of the trials that are not recorded yet."""
    with tempfile.TemporaryDirectory() as folder:
        cache.HOME = Path(folder) / "nothing is committed"
        trials = Trials(name, Path(folder))
        record.add(name, "steps", trials.whole.count)
        asked = [*errors, *range(1 + (every > 1) * (every // 2), trials.whole.count + 1, every)]
        for trial in asked[number::ABREAST]:
            if trial not in record.of(name):
                record.add(name, trial, refused(trials, trial) if trial in ERRORS else trials.kill(trial))


def _row(name: str, errors: list[str], record: Record) -> list:
    """Steps, kills, kills that lost something, what came of each error."""
    found = record.of(name)
    kills = {at: outcome for at, outcome in found.items() if isinstance(at, int) and outcome is not None}
    for at, outcome in kills.items():
        if outcome:
            out.print(f"{name}, killed at step {at}: {outcome}", markup=False, soft_wrap=True)
    return [found["steps"], len(kills), sum(map(bool, kills.values())), *(found[error] for error in errors)]


if __name__ == "__main__":
    sys.exit(main())
