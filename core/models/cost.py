"""What a measurement will cost, before it is run. No torch."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

from core import specs
from core.models import flops
from core.models.machine import HEADROOM, chosen, free_memory
from core.models.outline import Outline
from core.models.sources import NotHere, locate, outlined
from core.store.cache import Store
from core.store.files import write_file

WORKED_ON = 5  # times a layer's weights, while it is read and pruned
PROCESS = 600_000_000  # bytes that Python and its libraries take before any model is there, measured


@dataclass(frozen=True)
class Cost:
    """An estimate; `rough` until this model was measured on this machine."""

    flops: float
    memory: int  # bytes, at the peak
    seconds: float
    rough: bool
    rate: float  # FLOP/s it is based on
    parts: int


def of_study(request: specs.StudyRequest, store: Store, device: str = "cpu") -> Cost | None:
    """The cost of a study of which nothing is measured yet, or None while the model's files are not on this machine.

    Raises:
        UserError: the model or its files are not what they should be.
    """
    shape = _shape(request, store)
    if shape is None:
        return None
    points = len(request.points)
    total = flops.study_flops(shape, request, points, points, points - 1)
    text, calibration = request.evaluation.text, request.calibration
    streams = (3 * calibration.sequences * calibration.length + text.sequences * text.length) * shape.width
    logits = 4 * 2048 * shape.vocabulary * 4
    copies = 1 if _streams(shape, request, store) else 2  # dense weights are kept for what is pruned next
    memory = copies * _weights(shape, request, store) + streams * flops.BYTES[request.dtype] + logits
    return _priced(total, memory, points, shape, store, device)


def estimate(request: specs.MeasureRequest, store: Store, device: str = "cpu") -> Cost | None:
    """The cost of a request, or None while the model's files are not on this machine.

    Raises:
        UserError: the model or its files are not what they should be.
    """
    shape = _shape(request, store)
    if shape is None:
        return None
    text, dtype = request.text, request.dtype
    room = int(HEADROOM * free_memory()) if _streams(shape, request, store) else None
    group = flops.group_size(shape, text.sequences, text.length, dtype, room)
    models = 1 + sum(each.perturbation.compares for each in request.measurements)
    memory = models * _weights(shape, request, store) + group * flops.sequence_bytes(shape, text.length, dtype)
    if request.removal or any("second_moment" in each.perturbation.statistics for each in request.measurements):
        memory += flops.second_moment_bytes(shape)
    if any(each.perturbation.covariance for each in request.measurements):
        memory += flops.covariance_bytes(shape)
    parts = sum(flops.times(shape, each) for each in request.measurements) * -(-text.sequences // group)
    return _priced(flops.request_flops(shape, request), memory, parts, shape, store, device)


def _shape(request: specs.MeasureRequest | specs.StudyRequest, store: Store) -> Outline | None:
    try:
        return outlined(locate(request.model, store, request.revision, fetch=False), store)
    except NotHere:
        return None


def _streams(shape: Outline, request: specs.MeasureRequest | specs.StudyRequest, store: Store) -> bool:
    """Whether memory does not hold the model, so that its layers stay in their files; GGUF files are read whole."""
    size = shape.parameters * flops.BYTES[request.dtype]
    return size > HEADROOM * free_memory() and not locate(request.model, store, request.revision, fetch=False).gguf


def _weights(shape: Outline, request: specs.MeasureRequest | specs.StudyRequest, store: Store) -> int:
    """Bytes of the weights in memory; of a streamed model those outside its layers, and a layer as it is worked on."""
    held = shape.parameters
    if _streams(shape, request, store):
        held += (WORKED_ON - shape.layers) * shape.layer_parameters
    return held * flops.BYTES[request.dtype]


def _priced(total: float, memory: float, parts: int, shape: Outline, store: Store, device: str) -> Cost:
    device = chosen(device)
    rate = _rate(store, device, shape)
    used = rate or flops.rough_rate(device)
    return Cost(total, int(memory) + PROCESS, total / used, rate is None, used, parts)


def words(cost: Cost) -> str:
    """The estimate in one sentence."""
    basis = "rough: not yet measured here" if cost.rough else f"at the measured {cost.rate / 1e9:.0f} GFLOP/s"
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


def remember_rate(store: Store, device: str, shape: Outline, rate: float) -> None:
    """Keep the FLOP/s that a finished sweep of this model's shape reached."""
    write_file(_rate_file(store, device, shape), json.dumps({"flops_per_second": rate}).encode())


def speed(shape: Outline, store: Store, device: str) -> float:
    """FLOP/s that a model of this shape was measured to reach on a device, else roughly what the device does."""
    device = chosen(device)
    return _rate(store, device, shape) or flops.rough_rate(device)


def _rate(store: Store, device: str, shape: Outline) -> float | None:
    try:
        return float(json.loads(_rate_file(store, device, shape).read_bytes())["flops_per_second"])
    except (OSError, ValueError, KeyError):
        return None


def _rate_file(store: Store, device: str, shape: Outline) -> os.PathLike:
    return store.root / "rates" / f"{flops.kind(device)}-{shape.layers}x{shape.width}.json"
