"""The cost of a request before it runs: memory, parts, and time at the speed that this machine reached. No torch."""

import math
from pathlib import Path
from typing import Any, NamedTuple

from core.base import access, duration
from core.jobs import cluster
from core.models import NotHere, Source, device_named, emulates_bfloat16, locate, machine, read_shape, texts
from core.requests import BestRequest, MeasureRequest, ModelShape, StudyRequest, workload
from core.results import search_plan
from core.store import Store, read_note, write_note


class Cost(NamedTuple):
    """An estimate, at most."""

    memory: int  # bytes, at the peak
    parts: int
    seconds: float | None  # None: nothing is known of this device
    guess: bool = False  # no such model was measured here
    steps: str = ""  # of a search


def words(cost: Cost | None) -> str:
    """The estimate in one sentence."""
    if cost is None:
        return "The cost is not known before the model is on this machine."
    time = "Time is told once the first part is done; "
    if cost.seconds is not None:
        time = f"About {duration(max(cost.seconds, 1))}{' (a guess until the first run here)' * cost.guess}, "
    return f"{time}{cost.memory / 2**30:.2g} GiB of memory, {cost.parts} {cost.steps or 'parts'}."


def estimate(request: Any, store: Store, device: str = "cpu") -> Cost | None:
    """The cost of a request at most, as if nothing were stored, or None while the model's files are not here.

    Args:
        device: a device, or a place where shares are run.

    Raises:
        UserError: the model or its files are not what they should be, or a path of the request may not be read.
    """
    access.confine(request.model_dump(mode="json"))
    try:
        source = locate(request.model, store, request.revision, fetch=False)
        for each in getattr(request, "measurements", ()):
            if each.perturbation.compares:
                locate(each.perturbation.source, store, fetch=False)
    except NotHere:
        return None
    shape, place = read_shape(source, store), cluster.read(device)
    kind = device_named(place.device if place else device).split(":")[0]
    own = read_note(_speed_file(store, kind, shape, request.dtype))
    speed = own or _speed_of_others(store, kind, shape, request.dtype)
    need, parts, work = _counted(request, source, shape, kind, speed or workload.SPEED)
    seconds = work / speed / (place.shares if place else 1) if speed else None  # each share does its own
    steps = search_plan.steps(request, shape) if isinstance(request, BestRequest) else ""
    return Cost(int(need) + machine.PROCESS, parts, seconds, own is None, steps)


def _counted(request: Any, source: Source, shape: ModelShape, kind: str, speed: float) -> tuple[float, int, float]:
    """Bytes, parts and work."""
    weights = machine.weight_bytes(shape, request.dtype, bool(source.gguf))
    if isinstance(request, BestRequest):
        stages = search_plan.planned(request, shape, speed)
        final = search_plan.final_request(request, None, [search_plan.even(request)])
        runs = [final, *([] if request.profile else [search_plan.profile_request(request)])]
        need = max(_counted(each, source, shape, kind, speed)[0] for each in runs)
        return need, sum(map(bool, stages.values())), sum(stages.values())
    if isinstance(request, MeasureRequest):
        need, groups = machine.sweep_bytes(shape, request, weights, is_limited=kind == "cpu")
        parts = groups * sum(workload.repeats(shape, each) for each in request.measurements) + request.sketch
        work, read = workload.sweep(shape, request, groups), [request.text]
    else:
        study = isinstance(request, StudyRequest)
        recipes = [*filter(None, request.points)] if study else [request.setting]
        need = machine.walk_bytes(shape, request, weights, recipes)
        work = sum(sum(workload.treating(shape, request, each, emulates_bfloat16(), speed)) for each in recipes)
        parts, read = shape.layers, [request.calibration]
        if study:
            parts = len(request.points)
            work += parts * workload.judging(shape, request.evaluation)
            read.append(request.evaluation.text)
    need = max(need, weights + max(texts.memory_to_read(each.source) for each in read))  # meanwhile nothing runs
    return need, parts, work


def remember_speed(store: Store, kind: str, shape: ModelShape, dtype: str, speed: float) -> None:
    """Keep how much work a second a finished sweep of such a model did on a kind of device."""
    write_note(_speed_file(store, kind, shape, dtype), speed)


def _speed_of_others(store: Store, kind: str, shape: ModelShape, dtype: str) -> float | None:
    """Speed that the model nearest in size promises, a token taking as long as the weights are many.

    One is known before any: that of two cores; None for another device or precision. From a tiny model, whose time is
    not spent on its weights, a run of 11 minutes was promised 4.9 hours.
    """
    size = shape.layers * shape.width**2
    speeds = {workload.SIZE: workload.SPEED} if (kind, dtype) == ("cpu", "float32") else {}
    for path in (store.root / "speeds").glob(f"{kind}-{dtype}-*.json"):
        layers, width, _ = map(int, path.stem.rpartition("-")[2].split("x"))
        if speed := read_note(path):
            speeds[layers * width**2] = speed
    nearest = min(speeds, key=lambda each: abs(math.log(each / size)), default=None)
    return nearest and speeds[nearest] * nearest / size


def _speed_file(store: Store, kind: str, shape: ModelShape, dtype: str) -> Path:
    return store.root / "speeds" / f"{kind}-{dtype}-{shape.layers}x{shape.width}x{shape.vocabulary}.json"
