"""The documented entry: ask for something, and have it found in the cache, or measured and saved."""

from __future__ import annotations

import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from core.evaluation.resolving import resolve
from core.evaluation.running import Run
from core.jobs.records import Request
from core.measure.sweep import ENGINES, Sweep
from core.models import anatomy, devices
from core.models.loading import Loaded, load
from core.models.progress import Progress, Report, silent
from core.models.provenance import provenance, relative
from core.models.sources import locate, outlined
from core.specs.measurements import MeasureRequest, ProfileSpec, expanded
from core.specs.requests import BestRequest, ExportRequest, WritingRequest
from core.specs.studies import StudyRequest
from core.store.cache import Entry, Store
from core.store.files import stamp
from core.texts.windows import windows


@dataclass
class Bench:
    """What every kind of work needs: where results go, where it runs, who is told, and the model at hand."""

    store: Store
    device: torch.device
    report: Report
    models: MutableMapping[str, Loaded]
    engine: str = "wavefront"
    loading: float = field(default=0.0)  # seconds

    def load(self, model: str, revision: str | None, dtype: str) -> Loaded:
        """The model by what was typed, from memory if it was the last one.

        Raises:
            UserError: there is no such model, or it cannot be used.
        """
        began = time.perf_counter()
        self.report(Progress(f"finding the model {model}"))
        source = locate(model, self.store, revision)
        key = f"{source.content} {source.initialised} {dtype} {[stamp(path) for path in source.files]}"
        if key not in self.models:
            self.report(Progress(f"loading {source.label}"))
            loaded = load(source, dtype)
            self.models.clear()  # one model at a time: two would compete for memory
            self.models[key] = loaded
        self.loading = time.perf_counter() - began
        return self.models[key]


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
    return WORK[type(request)](request, bench)


def _profile(request: MeasureRequest, bench: Bench) -> Entry:
    loaded = bench.load(request.model, request.revision, request.dtype)
    store, text = bench.store, windows(request.text, loaded)
    profile = ProfileSpec(
        model=loaded.spec,
        text=text.spec,
        measurements=expanded(request.measurements, [each.name for each in anatomy.linears(loaded.layers[0])]),
        prunable=anatomy.is_prunable(loaded.layers),
    )
    store.remember(request, profile, [*loaded.source.files, *text.files])
    found = store.find(request)  # under another name, or once before this cache knew the request
    if found:
        return found
    devices.place(loaded, bench.device)
    shape = outlined(loaded.source, store)
    sweep = Sweep(loaded, text, profile, store, bench.device, shape, bench.report, bench.engine)
    sweep.run()
    units = [profile.unit(each) for each in profile.measurements]
    measured = sum(map(store.seconds, units))
    warnings = dict.fromkeys(text for unit in units for text in store.warnings(unit))
    seconds = {"loading": bench.loading, **sweep.seconds, "sweep": measured}  # earlier runs' shares included
    told = provenance(loaded, text.files, store, sweep.device) | {
        "model_source": relative(request.model),
        "text": text.label,
        "revision": request.revision,
        "text_source": relative(request.text.source),
        "documents": request.text.documents,
        "seed": request.text.seed,
        "engine": sweep.engine,
        "replay_error": sweep.replay,
        "warnings": list(warnings),
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
    }
    return store.entry(store.save(profile, None, told))


def _study(request: StudyRequest, bench: Bench) -> Entry:
    loaded = bench.load(request.model, request.revision, request.dtype)
    resolved = resolve(request, loaded, bench.store)
    bench.store.remember(request, resolved.spec, [*loaded.source.files, *resolved.files])
    found = bench.store.find(request)
    if found:
        return found
    devices.place(loaded, bench.device)
    shape = outlined(loaded.source, bench.store)
    return Run(loaded, request, resolved, bench.store, shape, bench.report).run()


def _export(request: ExportRequest, bench: Bench) -> Entry:
    from core.export import making

    loaded = bench.load(request.model, request.revision, request.dtype)
    devices.place(loaded, bench.device)
    shape = outlined(loaded.source, bench.store)
    return making.run(request, loaded, bench.store, shape, bench.report)


def _best(request: BestRequest, bench: Bench) -> Entry:
    from core.search import choosing

    def stage(asked: Request, report: Report) -> Entry:
        return bench.store.find(asked) or WORK[type(asked)](asked, replace(bench, report=report))

    loaded = bench.load(request.model, request.revision, request.dtype)
    shape = outlined(loaded.source, bench.store)
    return choosing.Run(request, loaded, bench.store, shape, bench.report, stage).run()


def _writing(request: WritingRequest, bench: Bench) -> Entry:
    from core.evaluation import writing

    loaded = bench.load(request.model, request.revision, request.dtype)
    devices.place(loaded, bench.device)
    shape = outlined(loaded.source, bench.store)
    return writing.run(request, loaded, bench.store, shape, bench.report)


WORK: dict[type, Callable[[Any, Bench], Entry]] = {
    MeasureRequest: _profile,
    StudyRequest: _study,
    ExportRequest: _export,
    BestRequest: _best,
    WritingRequest: _writing,
}
__all__ = ["ENGINES", "get"]
