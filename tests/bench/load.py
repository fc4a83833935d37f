"""Seconds that pages, and tokens that are written, take with many readers: `python -m tests.bench.load [READERS]`.

A visitor opens one page after the other, moves its live picture where there is one, and thinks for a second after each.
A page has come once its script has ended with everything drawn, what waits for the first picture included. A listener
hears a text of their own, and changes the damage again and again where the text stands.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from itertools import chain
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from core.jobs import queue
from core.requests import PRESETS, MeasureRequest, WindowRequest
from core.store import Store
from pages.ui.server import VERSION
from tests.bench.visitor import Visitor, open_socket
from tests.e2e.conftest import ROOT, serving

# What a visitor moves on a page: a choice of its live picture, and how many stops that has.
MOVED = {"model": ("layer", 30), "play": ("layer", 30), "learn": ("layer", 30)}
PAGES = (*MOVED, "compress", "evidence")
THINKING = 1.0  # seconds after each page
TABS = 2  # of a visitor, one after the other
MEASUREMENTS = 8  # that wait, so that one runs until the last visitor has left
PROMPT = "Once upon a time, a small robot woke up in a quiet garden and"
DAMAGE = ("gaussian:0.3", "gaussian:1", "gaussian:0.3:mlp", "skip", "skip:head:3", "residual:wanda:0.7", "")
TOKENS, CHANGES = 60, 6  # of a listener's text
SHARES = (0.5, 0.95)  # of waiting times


@contextmanager
def served():
    """The folder of a dashboard's cache, its address and its process."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as address:
        server = next(each for each in psutil.Process().children() if "streamlit" in " ".join(each.cmdline()))
        yield Path(folder), address, server


def visit(address, chance, thinking=THINKING):
    """The seconds of every page and move of a tab, and its visitor."""
    seconds = defaultdict(list)
    with open_socket(address) as socket:
        visitor = Visitor(socket)
        for page in chance.sample(PAGES, len(PAGES)):
            seconds[page].append(visitor.open(page))
            visitor.think(thinking)
            choice, stops = MOVED.get(page, ("", 0))
            if visitor.picture and choice in visitor.picture[1]:
                seconds[f"{page}, moved"].append(visitor.move(choice, chance.randrange(stops)))
                visitor.think(thinking)
    return seconds, visitor


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


def pages(readers, beside):
    """A row for each page, and one for all."""
    table = Table("page", "times", "p50, s", "p95, s", title=f"{readers} visitors{', a measurement beside' * beside}")
    with served() as (folder, address, server):
        visit(address, random.Random(0), 0.0)  # the first visitor has the server import and read
        before = sum(server.cpu_times()[:2])
        with measuring(folder) if beside else nullcontext(), ThreadPoolExecutor(readers) as pool:
            chances = [random.Random(number) for number in range(readers)] * TABS
            tabs = list(pool.map(lambda chance: visit(address, chance), chances))
        used = sum(server.cpu_times()[:2]) - before
    seconds = defaultdict(list)
    for page, times in (each for tab, _ in tabs for each in tab.items()):
        seconds[page] += times
        seconds["~ all"] += times
    for page, times in sorted(seconds.items()):
        table.add_row(page, str(len(times)), *(f"{np.quantile(times, share):.2f}" for share in SHARES))
    visitors, count = [visitor for _, visitor in tabs], len(seconds["~ all"])
    errors = sorted({said for each in visitors for said in each.errors})
    received = sum(each.bytes for each in visitors) / count / 1024
    table.caption = f"processor {used / count:.3f} s a page, {received:.0f} KiB; errors: {'; '.join(errors) or 'none'}"
    return table


def listen(address, number, seed):
    """Seconds from each change of the damage to its first token, when each token came, and errors.

    Readers on one machine are told apart by a cookie, as browsers on it are.
    """
    chance, turns, first, times, errors = random.Random(f"{number} {seed}"), [], [], [], []
    for start in range(0, TOKENS, TOKENS // CHANGES):
        turns.append((start, chance.randrange(30), chance.choice(DAMAGE)))
        asked = {"prompt": PROMPT, "turns": turns, "seed": seed, "start": start, "tokens": start + TOKENS // CHANGES}
        query, began = urlencode({"asked": json.dumps(asked), "tab": "1"}), time.monotonic()
        request = Request(f"{address}/talk/{VERSION}?{query}", headers={"Cookie": f"_streamlit_xsrf={number}"})
        with urlopen(request, timeout=600) as stream:
            for line in map(json.loads, stream):
                if "at" in line:
                    times.append(time.monotonic())
                    first += [times[-1] - began] if line["at"] == start else []
                errors += filter(None, [line.get("error"), line.get("end")])
    return first, times, errors


def texts(readers):
    """A row for one listener alone, and one for all of them at once, twice."""
    table = Table("listeners", "tokens/s", "of a listener", "change p50, s", "p95, s", "MB", "errors")
    with served() as (_, address, server):
        listen(address, 0, 0)  # the model loads, and prunes for the first time
        for seed, count in enumerate((1, readers, readers), 1):  # the same listeners hear other texts
            began = time.monotonic()
            with ThreadPoolExecutor(count) as pool:
                heard = list(pool.map(lambda number, seed=seed: listen(address, number, seed), range(count)))
            first, times, errors = zip(*heard, strict=True)
            own = [len(each) / (each[-1] - began) for each in times]
            rate = sum(map(len, times)) / (max(each[-1] for each in times) - began)
            resident = sum(each.memory_info().rss for each in (server, *server.children(recursive=True))) / 2**20
            waits = (f"{np.quantile(np.concatenate(first), share):.2f}" for share in SHARES)
            said, ends = "; ".join(sorted({*chain(*errors)})) or "none", f"{min(own):.2f} to {max(own):.2f}"
            table.add_row(str(count), f"{rate:.1f}", ends, *waits, f"{resident:.0f}", said)
    return table


def main(readers="20"):
    for table in (lambda count: pages(count, False), lambda count: pages(count, True), texts):
        Console(width=120).print(table(int(readers)))
    print(f"load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "")


if __name__ == "__main__":
    main(*sys.argv[1:])
