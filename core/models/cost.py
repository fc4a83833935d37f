"""What a measurement will cost, before it is run. No torch."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass

from core.ask.measurements import MeasureRequest
from core.ask.studies import StudyRequest
from core.models import converted, effort, flops
from core.models.machine import HEADROOM, chosen, free_memory
from core.models.outline import Outline
from core.models.sources import NotHere, locate, outlined
from core.store.cache import Store
from core.store.files import write_file

WORKED_ON = 5  # times a layer's weights, while it is read and pruned
PROCESS = 600_000_000  # bytes that Python and its libraries take before any model is there, measured
START = 6.0  # seconds that they take to start
READ, CONVERTED = 500e6, 50e6  # bytes of weights a second, from safetensors and from a GGUF file


@dataclass(frozen=True)
class Cost:
    """An estimate; `rough` until this model was measured on this machine."""

    flops: float
    memory: int  # bytes, at the peak
    seconds: float  # loading included
    rough: bool
    parts: int


@dataclass(frozen=True)
class Asked:
    """A request whose model is not in memory yet."""

    request: MeasureRequest | StudyRequest
    store: Store
    device: str
    shape: Outline
    streamed: bool  # memory does not hold the model, so that its layers stay in their files; GGUF files are read whole
    slow: bool  # it is read from a GGUF file, of which no copy is kept yet

    @property
    def weights(self) -> int:
        """Bytes in memory; of a streamed model those outside its layers, and a layer as it is worked on."""
        away = (self.shape.layers - WORKED_ON) * self.shape.layer_parameters if self.streamed else 0
        return (self.shape.parameters - away) * flops.BYTES[self.request.dtype]

    def told(self, flop: float, took: float, memory: float, parts: int, models: int = 1) -> Cost:
        """took: as FLOP, loading aside."""
        rate = _rate(self.store, self.device, self.shape, self.request.dtype)
        used = rate or flops.rough_rate(self.device, self.request.dtype)
        read = models * 4 * self.shape.parameters / (CONVERTED if self.slow else READ)
        return Cost(flop, int(memory) + PROCESS, START + read + took / used, rate is None, parts)


def model_of(
    request: MeasureRequest | StudyRequest, store: Store, device: str, others: Iterable[str] = ()
) -> Asked | None:
    """A request with its model's files, or None while they are not on this machine.

    Args:
        others: checkpoints that have to be there too.

    Raises:
        UserError: the model or its files are not what they should be.
    """
    try:
        source = locate(request.model, store, request.revision, fetch=False)
        for other in others:
            locate(other, store, fetch=False)
    except NotHere:
        return None
    shape = outlined(source, store)
    size = shape.parameters * flops.BYTES[request.dtype]
    streamed = size > HEADROOM * free_memory() and not source.gguf
    slow = bool(source.gguf) and not (converted.address(source, store) / "manifest.json").is_file()
    return Asked(request, store, chosen(device), shape, streamed, slow)


def estimate(request: MeasureRequest, store: Store, device: str = "cpu") -> Cost | None:
    """The cost of a request; None and errors as `model_of`."""
    others = [each.perturbation.source for each in request.measurements if each.perturbation.compares]
    asked = model_of(request, store, device, others)
    if asked is None:
        return None
    shape, text, dtype = asked.shape, request.text, request.dtype
    models = 1 + len(others)
    memory = models * asked.weights
    if flops.needs_moments(request):
        memory += flops.second_moment_bytes(shape)
    if any(each.perturbation.covariance for each in request.measurements):
        memory += flops.covariance_bytes(shape)
    room = int(HEADROOM * max(free_memory() - memory, 0)) if flops.kind(asked.device) == "cpu" else None
    groups = flops.groups(shape, text.sequences, text.length, dtype, room)
    memory += max(groups) * flops.sequence_bytes(shape, text.length, dtype)
    parts = sum(flops.times(shape, each) for each in request.measurements) * len(groups)
    took = effort.measuring(shape, request, groups, asked.device)
    return asked.told(flops.request_flops(shape, request), took, memory, parts, models)


def of_study(request: StudyRequest, store: Store, device: str = "cpu") -> Cost | None:
    """The cost of a study of which nothing is measured yet; None and errors as `model_of`."""
    asked = model_of(request, store, device)
    if asked is None:
        return None
    points = request.points
    treatments = [each.treatment for each in points if each]
    flop = flops.study_flops(asked.shape, request, len(points), len(points), len(treatments))
    return asked.told(flop, effort.studying(asked.shape, request, treatments), _while_pruning(asked), len(points))


def of_pruning(request: StudyRequest, store: Store, device: str = "cpu") -> Cost | None:
    """The cost of pruning by a study's first setting, once; None and errors as `model_of`."""
    asked = model_of(request, store, device)
    if asked is None:
        return None
    shape, calibration = asked.shape, request.calibration
    took = effort.walk_work(shape, calibration, request.settings[0].treatment)
    return asked.told(flops.walk_flops(shape, calibration), took, _while_pruning(asked), shape.layers)


def _while_pruning(asked: Asked) -> float:
    """Bytes."""
    text, calibration = asked.request.evaluation.text, asked.request.calibration
    paths = 1 + any("pull" in each.treatment.statistics for each in asked.request.settings)  # a dense one beside it
    tokens = 3 * paths * calibration.sequences * calibration.length + text.sequences * text.length
    logits = 4 * flops.WALK_BATCH * asked.shape.vocabulary * 4
    copies = 1 if asked.streamed else 2  # dense weights are kept for what is pruned next
    return copies * asked.weights + tokens * asked.shape.width * flops.BYTES[asked.request.dtype] + logits


def words(cost: Cost) -> str:
    """The estimate in one sentence."""
    basis = "rough: not yet measured here" if cost.rough else "at the speed measured here"
    return (
        f"{cost.flops / 1e12:.3g} TFLOP, about {duration(cost.seconds)} ({basis}), "
        f"{cost.memory / 2**30:.2g} GiB of memory, {cost.parts} parts."
    )


def duration(seconds: float) -> str:
    """`40 s`, `110 s`, `3 min`, `2.5 h`."""
    if seconds < 119.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


# --- what this machine was measured to do --------------------------------------------------------------------------


def remember_rate(store: Store, device: str, shape: Outline, dtype: str, rate: float) -> None:
    """Keep how much work, as FLOP a second, a finished sweep of this model's shape did."""
    write_file(_rate_file(store, device, shape, dtype), json.dumps({"work_per_second": rate}).encode())


def speed(shape: Outline, store: Store, device: str, dtype: str = "float32") -> float:
    """FLOP/s that a model of this shape was measured to reach on a device, else roughly what the device does."""
    device = chosen(device)
    return _rate(store, device, shape, dtype) or flops.rough_rate(device, dtype)


def _rate(store: Store, device: str, shape: Outline, dtype: str) -> float | None:
    try:
        return float(json.loads(_rate_file(store, device, shape, dtype).read_bytes())["work_per_second"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _rate_file(store: Store, device: str, shape: Outline, dtype: str) -> os.PathLike:
    return store.root / "rates" / f"{flops.kind(device)}-{dtype}-{shape.layers}x{shape.width}.json"
