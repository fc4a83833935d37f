"""How much faster is the wavefront than one full forward per injection? Ratios of alternating runs in one process.

python -m tests.bench.engines [--sequences 4] [--length 64] [--pairs 3]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from core import specs
from core.measure.engines import hooks, wavefront
from core.measure.group import prepare
from core.measure.perturb import Moments
from core.models import flops
from core.models.loading import load
from core.models.sources import locate, outlined
from core.store.cache import Store
from core.texts.windows import windows


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--model", default="demo")
    options.add_argument("--sequences", type=int, default=4)
    options.add_argument("--length", type=int, default=64)
    options.add_argument("--pairs", type=int, default=3)
    asked = options.parse_args()
    store = Store(Path(tempfile.mkdtemp()))
    source = locate(asked.model, store)
    loaded = load(source)
    request = specs.WindowRequest(sequences=asked.sequences, length=asked.length)
    tokens = windows(request, loaded).tokens
    measurement = specs.Measurement(perturbation=specs.Gaussian(size=0.3))
    work = flops.measurement_flops(outlined(source, store), measurement, asked.sequences, asked.length)
    ratios = []
    with torch.inference_mode():
        group = prepare(loaded, tokens, range(asked.sequences), Moments(), 4)
        for _ in range(asked.pairs):
            fast, quick = _timed(wavefront, group, measurement)
            slow, plain = _timed(hooks, group, measurement)
            ratios.append(slow / fast)
            difference = np.nanmax(np.abs(quick.drift - plain.drift) / plain.drift)
            print(f"wavefront {fast:.2f} s ({work / fast / 1e9:.0f} GFLOP/s), hooks {slow:.2f} s, "
                  f"ratio {slow / fast:.2f}, largest relative difference {difference:.1e}")  # fmt: skip
    print(f"hooks / wavefront: median {statistics.median(ratios):.2f} of {len(ratios)}")


def _timed(engine: object, group: object, measurement: specs.Measurement) -> tuple[float, object]:
    began = time.perf_counter()
    result = engine(group, measurement, lambda layer: None)
    return time.perf_counter() - began, result


if __name__ == "__main__":
    main()
