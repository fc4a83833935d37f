"""Texts written for many readers at once, who damage the model meanwhile: `python -m tests.bench.talk [READERS]`.

Each listens to a text of their own, and changes the damage again and again where the text stands. Readers on one
machine are told apart by a cookie, as browsers on it are.
"""

import json
import os
import random
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from pages.ui.server import VERSION
from tests.e2e.conftest import serving

PROMPT = "Once upon a time, a small robot woke up in a quiet garden and"
WORDS = ("gaussian:0.3", "gaussian:1", "gaussian:0.3:mlp", "skip", "skip:head:3", "residual:wanda:0.7", "")
LAYERS = 30
PATIENCE = 600  # seconds for a token


@dataclass
class Listener:
    """A reader of a text."""

    address: str
    number: int
    seed: int = 0
    first: list[float] = field(default_factory=list)  # seconds from a change of the damage to its first token
    tokens: list[float] = field(default_factory=list)  # when each came
    errors: list[str] = field(default_factory=list)

    def listen(self, tokens, changes):
        """Hear a text of so many tokens whose damage changes so often."""
        chance, turns = random.Random(f"{self.number} {self.seed}"), []
        for start in range(0, tokens, tokens // changes):
            turns.append((start, chance.randrange(LAYERS), chance.choice(WORDS)))
            self._hear({"prompt": PROMPT, "turns": turns, "seed": self.seed, "start": start}, start + tokens // changes)

    def _hear(self, asked, until):
        said = urlencode({"asked": json.dumps(asked | {"tokens": until}), "tab": "1"})
        cookie, began = {"Cookie": f"_streamlit_xsrf={self.number}"}, time.monotonic()
        with urlopen(Request(f"{self.address}/talk/{VERSION}?{said}", headers=cookie), timeout=PATIENCE) as stream:
            for line in map(json.loads, stream):
                if "at" in line:
                    self.tokens.append(time.monotonic())
                    if line["at"] == asked["start"]:
                        self.first.append(self.tokens[-1] - began)
                if line.get("error") or line.get("end"):
                    self.errors.append(line.get("error") or line["end"])


def memory(server):
    """MB of the server and the process that holds the model."""
    return sum(each.memory_info().rss for each in (server, *server.children(recursive=True))) / 2**20


def measured(readers=20, tokens=60, changes=6):
    """A row for one reader alone, and one for all of them at once."""
    table = Table("readers", "tokens/s", "of a reader", "change p50, s", "p95, s", "MB before", "after", "errors")
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as address:
        server = next(each for each in psutil.Process().children() if "streamlit" in " ".join(each.cmdline()))
        Listener(address, 0).listen(2 * len(WORDS), len(WORDS))  # the model loads, and prunes for the first time
        for seed, count in enumerate((1, readers, readers), 1):  # the same readers hear other texts
            here = [Listener(address, each, seed) for each in range(count)]
            before, began = memory(server), time.monotonic()
            with ThreadPoolExecutor(count) as pool:
                list(pool.map(lambda each: each.listen(tokens, changes), here))
            ends, every = [each.tokens[-1] for each in here], sum(len(each.tokens) for each in here)
            own = [len(each.tokens) / (end - began) for each, end in zip(here, ends, strict=True)]
            first = np.quantile([time for each in here for time in each.first], (0.5, 0.95))
            errors = sorted({error for each in here for error in each.errors})
            table.add_row(
                str(count), f"{every / (max(ends) - began):.1f}", f"{min(own):.2f} to {max(own):.2f}",
                *(f"{each:.2f}" for each in first), f"{before:.0f}", f"{memory(server):.0f}", "; ".join(errors) or "no",
            )  # fmt: skip
    table.caption = f"load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return table


if __name__ == "__main__":
    Console(width=120).print(measured(*map(int, sys.argv[1:])))
