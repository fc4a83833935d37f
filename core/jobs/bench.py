"""Results, device, progress and the model at hand, which every kind of work needs; and reference checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

import torch

from core.ask.inputs import OfModel
from core.ask.measurements import MeasureRequest
from core.base.errors import UserError
from core.measure.checkpoint_diff import outside, refuse_unlike, tensors
from core.models import placement
from core.models.loading import Loaded, Reader, load
from core.models.progress import Progress, Report
from core.models.provenance import relative
from core.models.sources import Source, locate
from core.store.cache import Store
from core.store.files import stamp


@dataclass
class Bench:
    """What every kind of work needs: where results go, where it runs, who is told, and the model at hand."""

    store: Store
    device: torch.device
    report: Report
    models: MutableMapping[str, Loaded]
    engine: str = "wavefront"
    loading: float = 0.0  # seconds

    def load(self, request: OfModel, check: Callable[[Reader], object] = lambda _: None) -> Loaded:
        """The model that was typed, from memory if it was the last one.

        Args:
            check: refuses what cannot be met whatever the weights are, before they are read.

        Raises:
            UserError: there is no such model, or it cannot be used.
        """
        began = time.perf_counter()
        self.report(Progress(f"finding the model {request.model}"))
        source = locate(request.model, self.store, request.revision)
        key = f"{source.content} {source.initialised} {request.dtype} {[stamp(path) for path in source.files]}"
        if key not in self.models:
            self.report(Progress(f"loading {source.label}"))
            loaded = load(source, request.dtype, self.store, check)
            self.models.clear()  # one model at a time: two would compete for memory
            self.models[key] = loaded
        self.loading = time.perf_counter() - began
        return self.models[key]


# --- the other checkpoints of a measurement -----------------------------------------------------------------------


def locate_references(request: MeasureRequest, mine: Loaded | Reader, store: Store) -> dict[str, Source]:
    """The files of every checkpoint that a request names, as it was typed -> where it lies.

    Raises:
        UserError: there is no such checkpoint, or it is the model itself.
    """
    typed = [each.perturbation.source for each in request.measurements if each.perturbation.compares]
    found = {each: locate(each, store) for each in typed}
    for source in found.values():
        if source.fingerprint == mine.source.fingerprint:
            raise UserError(
                f"{mine.source.label} and {source.label} are the same checkpoint, equal file by file: name another one"
            )
    return found


def load_reference(source: Source, mine: Loaded, bench: Bench) -> Loaded:
    """Another checkpoint in memory beside the model, where it runs.

    Raises:
        UserError: it cannot be loaded, is not of the model's architecture and vocabulary, or equals it.
    """
    bench.report(Progress(f"loading {source.label}"))
    other = load(source, mine.spec.dtype, bench.store)
    refuse_unlike(mine, other)
    placement.place(other.model, other.layers, bench.device)
    return other


def reference_provenance(others: Mapping[str, Source], mine: Loaded) -> dict[str, Any]:
    """Provenance of the other checkpoints: the path of each by its hash, and the names of the compared tensors."""
    if not others:
        return {}
    return {
        "checkpoints": {source.fingerprint: relative(typed) for typed, source in others.items()},
        "tensors": tensors(mine.layers),
        "outside": outside(mine),
    }
