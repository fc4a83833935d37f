"""What a slider of Allocate asks for, on invented profiles of 30 and of 80 layers: `python -m tests.bench.sliders`.

Milliseconds of one allocation by each method, corrected and over linears too; the median of many.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from core.ask import grammar
from core.ask.allocations import AllocationRequest, Correction
from core.kinds import METHODS
from core.plan.spread import allocate
from core.store import profiles
from core.store.cache import Store
from core.store.profiles import Profile
from tests import synthetic

LAYERS = 30, 80
TIMES = 50
TARGET = 0.6


def profile(layers: int, folder: Path) -> Profile:
    spec = synthetic.profile_spec(layers, prunable=True).model_copy(update={"removal": True})
    store = Store(folder)
    return profiles.load(store, store.profile(synthetic.save_profile(folder, spec, layers)))


def asked() -> dict[str, AllocationRequest]:
    """Name -> request: every method, without and with the correction."""
    plain = {kind: grammar.method(kind, TARGET) for kind in METHODS}
    fix = {"correction": Correction(strength=0.02)}
    return plain | {f"{kind}, corrected": each.model_copy(update=fix) for kind, each in plain.items()}


def milliseconds(request: AllocationRequest, of: Profile) -> float:
    allocate(request, of)
    took = []
    for _ in range(TIMES):
        began = time.perf_counter()
        allocate(request, of)
        took.append(time.perf_counter() - began)
    return float(np.median(took)) * 1e3


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = [profile(layers, Path(folder) / str(layers)) for layers in LAYERS]
        print(f"{'':28}", *(f"{layers:>3} layers" for layers in LAYERS))
        for name, request in asked().items():
            print(f"{name:28}", *(f"{milliseconds(request, each):7.2f} ms" for each in found))


if __name__ == "__main__":
    main()
