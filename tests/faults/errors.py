"""What commands do where the disk is full or cannot be written: a sentence, and nothing is lost."""

from __future__ import annotations

import errno

import numpy as np

from tests.faults.steps import refusing
from tests.faults.trials import Trials

ERRORS = {"disk full": errno.ENOSPC, "read-only": errno.EROFS}
EXITS = {"disk full": (1,), "read-only": (1, 2)}  # 2: a file that was named cannot be written
AT = (0.0, 0.3, 0.6, 0.9)  # of the steps: when it begins


def refused(trials: Trials, error: str) -> str:
    """`said`, or what was wrong: another exit code than 1, a traceback, something lost."""
    for at in np.array(AT) * trials.whole.count:
        first = trials.run(refusing(int(at) + 1, ERRORS[error]))
        if first.code == 0 and at > 0:
            continue  # all that mattered was done
        if first.code not in EXITS[error] or "Traceback" in first.said:
            return f"step {int(at) + 1}: exit {first.code}, {first.said[-300:]}"
        again = trials.again(first)
        if again:
            return f"step {int(at) + 1}: {again}"
    return "said"
