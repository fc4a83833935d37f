"""`python -m tests.faults [COMMAND ...] [--every N]`: kill commands before and within every step; what was lost."""

import argparse
import errno
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # a process with threads cannot be forked
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from core.store import entries
from tests.faults.commands import COMMANDS
from tests.faults.steps import killed, refusing
from tests.faults.trials import Trials

ERRORS = {"disk full": (errno.ENOSPC, (1,)), "read-only": (errno.EROFS, (1, 2))}  # exits; 2: a named file is refused
AT = (0.0, 0.3, 0.6, 0.9)  # of the steps: when the system begins to answer nothing else
MOMENTS = 40  # of a run, evenly, at which it ends whatever it does then


def main():
    asked = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    asked.add_argument("commands", nargs="*", metavar="COMMAND", help=f"of {', '.join(COMMANDS)}; none: all")
    asked.add_argument("--every", type=int, default=1, help="kill at every so manieth step only")
    asked.add_argument("--kills", action="store_true", help="kill only: no full disk, no closed one")
    given = asked.parse_args()
    lost = 0
    for name in given.commands or COMMANDS:
        with tempfile.TemporaryDirectory() as folder:
            entries.HOME = Path(folder) / "nothing is committed"
            trials = Trials(name, Path(folder))
            ways = every_kill(trials.whole)[given.every // 2 :: given.every]
            kills = {how: found for how, each in ways if (found := trials.kill(**each)) is not None}
            found = kills | ({} if given.kills else {error: refused(trials, error) for error in ERRORS})
        lost += sum(map(bool, found.values())) + (not kills)
        print(f"{name}: {len(trials.whole.steps)} steps, {len(kills)} kills")
        print(*(f"{name}, {what}: {said}" for what, said in found.items() if said), sep="\n", flush=True)
    return min(lost, 1)


def every_kill(whole):
    """Every kill of a run, and how it is said: before each step, while a file is written, and wherever it is then."""
    steps = [*enumerate(whole.steps, 1)]
    files = [at for at, name in steps if name and not Path(name).name.startswith(".")]  # else one is being deleted
    return [
        *((f"killed at step {at}", {"fault": killed(at)}) for at, _ in steps),
        *((f"killed writing for step {at}", {"fault": killed(at, torn=True)}) for at in files),
        *((f"killed after {at}/{MOMENTS}", {"seconds": whole.seconds * at / MOMENTS}) for at in range(1, MOMENTS)),
    ]


def refused(trials, error):
    """What was wrong where the disk is full or closed: another exit code, a traceback, something lost; or nothing."""
    number, exits = ERRORS[error]
    for at in (int(share * len(trials.whole.steps)) + 1 for share in AT):
        first = trials.run(refusing(at, number))
        if first.code == 0 and at > 1:
            continue  # all that mattered was done
        if first.code not in exits or "Traceback" in first.said:
            return f"step {at}: exit {first.code}, {first.said[-300:]}"
        if again := trials.again(first):
            return f"step {at}: {again}"
    return ""


if __name__ == "__main__":
    sys.exit(main())
