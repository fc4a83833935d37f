"""Results, device, progress and the model at hand, which every kind of work needs."""

import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass

import torch

from core.models import REPORT, Loaded, Progress, Reader, Report, load, locate, placement, read_shape
from core.requests import ModelShape, OfModel
from core.store import Store, stamp


@dataclass
class WorkContext:
    """Store, device, report function and the last loaded model: needed by every kind of work."""

    store: Store
    device: torch.device
    report: Report
    models: MutableMapping[str, Loaded]
    engine: str = "wavefront"
    loading: float = 0.0  # seconds

    def __post_init__(self):
        REPORT.set(self.report)

    def load(self, request: OfModel, check: Callable[[Reader], object] = lambda _: None) -> Loaded:
        """Load a request's model, from memory if it was the last; first `check` refuses what no weights could meet.

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

    def place(self, loaded: Loaded) -> ModelShape:
        """Move a model to the device that it runs on; return its shape."""
        placement.place(loaded.model, loaded.layers, self.device)
        return read_shape(loaded.source, self.store)
