"""The documented entry: ask for something, and have it found in the cache, or measured and saved."""

from __future__ import annotations

import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field

import torch

from core.ask.jobs import BY_REQUEST, Request
from core.ask.models import OfModel
from core.base.spec import load as from_table
from core.measure.engines import ENGINES
from core.models import devices
from core.models.loading import Loaded, Reader, accepted, load
from core.models.outline import Outline
from core.models.progress import Progress, Report, silent
from core.models.sources import locate, outlined
from core.store.cache import Entry, Store
from core.store.files import stamp

__all__ = ["ENGINES", "Bench", "get"]


@dataclass
class Bench:
    """What every kind of work needs: where results go, where it runs, who is told, and the model at hand."""

    store: Store
    device: torch.device
    report: Report
    models: MutableMapping[str, Loaded]
    engine: str = "wavefront"
    loading: float = field(default=0.0)  # seconds

    def load(self, request: OfModel, check: Callable[[Reader], None] = accepted) -> Loaded:
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

    def placed(self, request: OfModel, check: Callable[[Reader], None] = accepted) -> tuple[Loaded, Outline]:
        """The same on the device where it runs, and its shape."""
        loaded = self.load(request, check)
        devices.place(loaded.model, loaded.layers, self.device)
        return loaded, outlined(loaded.source, self.store)

    def run(self, request: Request) -> Entry:
        """Compute what a request asks for, whatever is stored."""
        return from_table(BY_REQUEST[type(request)].work)(request, self)


def get(
    request: Request,
    store: Store | None = None,
    device: str = "cpu",
    report: Report = silent,
    models: MutableMapping[str, Loaded] | None = None,
    engine: str = "wavefront",
) -> Entry:
    """The profile, study or export that answers a request: from the cache, or computed now.

    Args:
        device: cpu, cuda, cuda:1, mps or auto; where it runs is not part of what it is.
        report: told of progress; raises `Cancelled` to stop. Finished parts are kept and not measured again.
        models: keeps the last loaded model for the next call.
        engine: wavefront, or hooks for one full forward per injection layer.

    Raises:
        UserError: the request cannot be met.
        Cancelled: the report function said so.
    """
    store = store or Store()
    found = store.find(request)
    if found:
        return found
    bench = Bench(store, devices.device(device), report, {} if models is None else models, engine)
    return bench.run(request)
