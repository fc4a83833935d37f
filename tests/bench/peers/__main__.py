"""Speed beside others, in one run: `python -m tests.bench.peers`; `--write` puts the tables into the README."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from core.ask.texts import WindowRequest
from core.models.loading import Loaded, load
from core.models.outline import Outline
from core.models.sources import locate, outlined
from core.store.cache import Store
from core.texts.windows import windows
from tests.bench import marked
from tests.bench.peers import perplexities, pruners, scaling, sweeps

ROUNDS = 3
SPARSITY = 0.5  # of what pruners are compared at


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--only", choices=("sweeps", "scaling", "perplexities", "pruners"))
    options.add_argument("--write", action="store_true")
    asked = options.parse_args()
    store = Store(Path(tempfile.mkdtemp()))
    source = locate("demo", store)
    for name, measure in _tables(load(source, store=store), outlined(source, store)).items():
        if asked.only in (None, name):
            made = marked.table(*_split(measure()))
            print(name, made, sep="\n", flush=True)
            if asked.write:
                marked.write({f"speed: {name}": made})


def _tables(loaded: Loaded, shape: Outline) -> dict[str, Callable[[], list[list[str]]]]:
    def text(sequences: int, length: int, source: str = "demo") -> Tensor:
        return windows(WindowRequest(source=source, sequences=sequences, length=length), loaded).tokens

    return {
        "sweeps": lambda: sweeps.table(loaded, shape, text(4, 64), ROUNDS),
        "scaling": lambda: scaling.table(loaded, text(4, 64), ROUNDS),
        "perplexities": lambda: perplexities.table(loaded, text(8, 512, "demo:evaluation"), ROUNDS),
        "pruners": lambda: pruners.table(loaded, text(8, 512), text(8, 512, "demo:evaluation"), SPARSITY),
    }


def _split(rows: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    return rows[0], rows[1:]


if __name__ == "__main__":
    main()
