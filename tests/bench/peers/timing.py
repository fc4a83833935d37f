"""Contenders in turn, several rounds, so that what else the machine does falls on all alike."""

import statistics
import time
from typing import Any, NamedTuple


class Ran(NamedTuple):
    """What a contender found, and the seconds of its rounds."""

    found: Any
    seconds: tuple[float, ...]

    @property
    def median(self):
        return statistics.median(self.seconds)


def in_turn(contenders, rounds):
    """Each contender once to warm up, whose result is kept, then `rounds` times, one after the other."""
    found = {name: run() for name, run in contenders.items()}
    seconds = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            began = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - began)
    return {name: Ran(found[name], tuple(each)) for name, each in seconds.items()}


def ratio(one, other):
    """How many times longer `one` takes: the median over rounds, each of which saw the same machine."""
    return statistics.median(a / b for a, b in zip(one.seconds, other.seconds, strict=True))


def short(difference):
    """One digit of a small number; 0 where there is none."""
    return f"{difference:.0e}" if difference else "0"
