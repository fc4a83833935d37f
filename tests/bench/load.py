"""Seconds that whole pages take with many visitors at once: `python -m tests.bench.load [VISITORS [TABS]]`.

A visitor opens one page after the other in a tab, moves its live picture where there is one, and thinks for a second
after each. A page has come once its script has ended with everything drawn, what waits for the first picture included.
"""

import os
import random
import subprocess
import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from core.jobs import queue
from core.requests.inputs import WindowRequest
from core.requests.measurements import MeasureRequest
from core.requests.perturbations import PRESETS
from core.store.cache import Store
from tests.bench.visitor import Visitor, open_socket
from tests.e2e.conftest import ROOT, serving

# What a visitor moves on a page: a choice of its live picture, and how many stops that has.
PAGES = {
    "absorption": ("layer", 30),
    "allocate": ("strength", 101),
    "prune": None,
    "lab": ("layer", 30),
    "learn": ("layer", 30),
    "runs": None,
    "measure": None,
    "evidence": None,
}
THINKING = 1.0  # seconds after each page
MEASUREMENTS = 8  # that wait, so that one runs until the last visitor has left


def visit(address, pages, thinking, chance):
    """A tab that opens all of the pages; the seconds of each, and of each move."""
    seconds = defaultdict(list)
    with open_socket(address) as socket:
        visitor = Visitor(socket)
        for page in pages:
            seconds[page].append(visitor.open(page))
            visitor.think(thinking)
            choice = PAGES[page]
            if choice and visitor.picture and choice[0] in visitor.picture[1]:
                seconds[f"{page}, moved"].append(visitor.move(choice[0], chance.randrange(choice[1])))
                visitor.think(thinking)
    return seconds, visitor


def visits(address, visitors, tabs):
    """Many at once, each with several tabs after one another, and each in an order of their own."""
    seconds = defaultdict(list)
    left = []

    def come(number):
        chance = random.Random(number)
        for _ in range(tabs):
            found, visitor = visit(address, chance.sample([*PAGES], len(PAGES)), THINKING, chance)
            left.append(visitor)
            for page, times in found.items():
                seconds[page] += times

    with ThreadPoolExecutor(visitors) as pool:
        list(pool.map(come, range(visitors)))
    return seconds, left


@contextmanager
def measuring(cache):
    """Quick measurements of the bundled model, one after the other, in the worker that pages start."""
    for seed in range(MEASUREMENTS):
        text = WindowRequest(sequences=8, seed=seed)
        queue.submit(Store(cache), MeasureRequest(text=text, measurements=PRESETS["quick"].measurements))
    command = [sys.executable, "-m", "core", "work", "--device", "cpu", "--cache", str(cache)]
    worker = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        worker.terminate()
        worker.wait()


def spent(server):
    """Seconds of processor time."""
    return sum(server.cpu_times()[:2])


def measured(beside, visitors=20, tabs=2):
    """The table of one load."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as address:
        server = next(each for each in psutil.Process().children() if "streamlit" in " ".join(each.cmdline()))
        visit(address, [*PAGES], 0.0, random.Random(0))  # the first visitor has the server import and read
        with measuring(Path(folder)) if beside else nullcontext():
            return _table(address, visitors, tabs, server, "a measurement beside" if beside else "no measurement")


def _table(address, visitors, tabs, server, name):
    before = spent(server)
    seconds, left = visits(address, visitors, tabs)
    used, every = spent(server) - before, [each for times in seconds.values() for each in times]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    errors = {said for visitor in left for said in visitor.errors}
    table = Table("page", "times", "p50, s", "p95, s", title=f"{visitors} visitors, {name}")
    for page, times in [*sorted(seconds.items()), ("all", every)]:
        table.add_row(page, str(len(times)), *(f"{np.quantile(times, share):.2f}" for share in (0.5, 0.95)))
    table.caption = (
        f"processor {used / len(every):.3f} s a page, {sum(each.bytes for each in left) / len(every) / 1024:.0f} KiB, "
        f"load average {load:.1f}, {len(errors)} errors {'; '.join(sorted(errors))}"
    )
    return table


if __name__ == "__main__":
    for beside in (False, True):
        Console(width=120).print(measured(beside, *map(int, sys.argv[1:])))
