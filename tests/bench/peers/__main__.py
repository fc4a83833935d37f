"""Speed beside others, in one run: `python -m tests.bench.peers`; `--write` keeps them for the Evidence page."""

import argparse
import tempfile
from pathlib import Path

import pandas as pd

from core.models import load, locate, read_shape, windows
from core.requests import WindowRequest
from core.show.report import bench_file
from core.store import Store
from tests.bench.peers import perplexities, pruners, sweeps
from tests.bench.tables import markdown

ROUNDS = 3
SPARSITY = 0.5  # of what pruners are compared at


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--only", choices=("sweeps", "perplexities", "pruners"))
    options.add_argument("--write", action="store_true")
    asked = options.parse_args()
    store = Store(Path(tempfile.mkdtemp()))
    source = locate("demo", store)
    for name, measure in _tables(load(source, store=store), read_shape(source, store)).items():
        if asked.only in (None, name):
            heads, *rows = measure()
            print(name, markdown(heads, *rows), sep="\n", flush=True)
            if asked.write:
                pd.DataFrame(rows, columns=heads).to_csv(bench_file(name), index=False)


def _tables(loaded, shape):
    def text(sequences, length, source="demo"):
        return windows.windows(WindowRequest(source=source, sequences=sequences, length=length), loaded).tokens

    return {
        "sweeps": lambda: sweeps.table(loaded, shape, text(4, 64), ROUNDS),
        "perplexities": lambda: perplexities.table(loaded, text(8, 512, "demo:evaluation"), ROUNDS),
        "pruners": lambda: pruners.table(loaded, text(8, 512), text(8, 512, "demo:evaluation"), SPARSITY),
    }


if __name__ == "__main__":
    main()
