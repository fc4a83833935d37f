"""The documented entry: ask for something, and have it found in the cache, or measured and saved."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import time
from collections.abc import MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from core import specs
from core.files import stamp
from core.hashing import file_hash
from core.measure import device as devices
from core.measure.sweep import ENGINES, Sweep
from core.models import anatomy
from core.models.loading import Loaded, load
from core.models.sources import locate, outlined
from core.progress import Progress, Report, silent
from core.specs import MeasureRequest, ProfileSpec
from core.store import Entry, Store
from core.texts import Windows, windows

VERSIONS = ("torch", "transformers", "numpy", "accelerate")


def get(
    request: MeasureRequest,
    store: Store | None = None,
    device: str = "cpu",
    report: Report = silent,
    models: MutableMapping[str, Loaded] | None = None,
    engine: str = "wavefront",
) -> Entry:
    """The profile that answers a request: from the cache, or measured now.

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
    where = devices.device(device)
    began = time.perf_counter()
    loaded = _loaded(request, store, report, models)
    loading = time.perf_counter() - began
    text = windows(request.text, loaded)
    profile = ProfileSpec(
        model=loaded.spec,
        text=text.spec,
        measurements=request.measurements,
        prunable=anatomy.is_prunable(loaded.layers),
    )
    local = [*loaded.source.files, *text.files]
    store.remember(request, profile, local)
    found = store.find(request)  # under another name, or once before this cache knew the request
    if found:
        return found
    devices.place(loaded, where)
    sweep = Sweep(loaded, text, profile, store, where, outlined(loaded.source, store), report, engine)
    sweep.run()
    return store.entry(store.save(profile, None, _provenance(request, loaded, text, sweep, loading)))


def _loaded(
    request: MeasureRequest, store: Store, report: Report, models: MutableMapping[str, Loaded] | None
) -> Loaded:
    report(Progress(f"finding the model {request.model}"))
    source = locate(request.model, store, request.revision)
    key = f"{source.content} {source.initialised} {request.dtype} {[stamp(path) for path in source.files]}"
    if models is not None and key in models:
        return models[key]
    report(Progress(f"loading {source.label}"))
    loaded = load(source, request.dtype)
    if models is not None:
        models.clear()  # one model at a time: two would compete for memory
        models[key] = loaded
    return loaded


def _provenance(request: MeasureRequest, loaded: Loaded, text: Windows, sweep: Sweep, loading: float) -> dict[str, Any]:
    measured = sum(sweep.store.seconds(sweep.profile.unit(each)) for each in request.measurements)
    seconds = {"loading": loading, **sweep.seconds, "sweep": measured}  # earlier runs' shares included
    return {
        "model": loaded.source.label,
        "model_source": _relative(request.model),
        "text": text.label,
        "revision": request.revision,
        "text_source": _relative(request.text.source),
        "documents": request.text.documents,
        "files": {path.name: file_hash(sweep.store, path) for path in (*loaded.source.files, *text.files)},
        "device": devices.describe(sweep.device),
        "dtype": request.dtype,
        "engine": sweep.engine,
        "replay_error": sweep.replay,
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in VERSIONS},
        "linears": [linear.name for linear in anatomy.linears(loaded.layers[0])],
        "threads": torch.get_num_threads(),
        "commit": _commit(),
    }


def _relative(typed: str) -> str:
    """A path inside the project without what lies above it: that is nobody's business but this machine's."""
    root = f"{Path(__file__).resolve().parent.parent}{os.sep}"
    return typed.replace(root, "")


def _commit() -> str | None:
    """The project's commit, where it runs from a checkout."""
    here = Path(__file__).parent
    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, timeout=10)
    except OSError:
        return None
    return found.stdout.strip() or None


__all__ = ["ENGINES", "get", "specs"]
