"""The other checkpoints of a measurement: where they lie, how they are loaded, what is told of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.ask.measurements import MeasureRequest
from core.base.errors import UserError
from core.measure.beside import outside, refuse_unlike, tensors
from core.models import devices
from core.models.loading import Loaded, Reader, load
from core.models.progress import Progress
from core.models.provenance import relative
from core.models.sources import Source, locate
from core.store.cache import Store

if TYPE_CHECKING:
    from core.jobs.bench import Bench


def located(request: MeasureRequest, mine: Loaded | Reader, store: Store) -> dict[str, Source]:
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


def loaded(source: Source, mine: Loaded, bench: Bench) -> Loaded:
    """Another checkpoint in memory beside the model, where it runs.

    Raises:
        UserError: it cannot be loaded, is not of the model's architecture and vocabulary, or equals it.
    """
    bench.report(Progress(f"loading {source.label}"))
    other = load(source, mine.spec.dtype, bench.store)
    refuse_unlike(mine, other)
    devices.place(other.model, other.layers, bench.device)
    return other


def told(others: Mapping[str, Source], mine: Loaded) -> dict[str, Any]:
    """What provenance says of them: the path of each by its hash, and the names of the tensors that were compared."""
    if not others:
        return {}
    return {
        "checkpoints": {source.fingerprint: relative(typed) for typed, source in others.items()},
        "tensors": tensors(mine.layers),
        "outside": outside(mine),
    }
