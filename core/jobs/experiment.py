"""The documented entry: ask for something, and have it found in the cache, or measured and saved."""

from __future__ import annotations

from collections.abc import MutableMapping

from core.ask.jobs import Request
from core.jobs.bench import Bench
from core.jobs.work import run
from core.models import placement
from core.models.loading import Loaded
from core.models.progress import Report, silent
from core.store.cache import Entry, Store


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
    bench = Bench(store, placement.device(device), report, {} if models is None else models, engine)
    return run(request, bench)
