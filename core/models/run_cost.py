"""The work, memory and time of a request, counted before it runs. No torch.

Work is counted in FLOP of forward passes: tokens times the weights that they meet, twice. What compares and solves
instead, as a pruner does, counts as the tokens whose pass through the layers takes as long, as was seen on a CPU.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.base import UserError, access, brief, duration
from core.methods import PRUNERS, Treatment
from core.methods.blockwise import EPOCHS
from core.methods.distillation import CHUNK, TOKENS_PER_STEP
from core.models import texts
from core.models.hub import NotHere
from core.models.machine import HEADROOM, definite_device, emulates_bfloat16, free_memory
from core.models.model_shape import ModelShape
from core.models.sources import Source, locate, read_shape
from core.requests import (
    EvaluationRequest,
    Measurement,
    MeasureRequest,
    ProfileSpec,
    Recipe,
    StudyRequest,
    TextSpec,
    WindowRequest,
    stands_for,
)
from core.store import Store
from core.store.files import sealed, unsealed, write_file

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
LARGEST_GROUP = 16384  # tokens run at once: more does not make a matrix product faster
WALK_BATCH = 2048  # tokens per forward while pruning
LOOK = 1000  # tokens that take as long as one look at every weight
SOLVING = 20  # tokens, times the width, that take as long as making up for every weight by others
FOLLOWED = 7  # more forward passes of a walk with a dense path: every group of linears runs its layer on both paths
TRAINED = 4  # forward passes that take as long as training on the same tokens: two forward, and one back
DISTILLED, HALVED, EMULATED = 5, 3, 70  # the same for the whole model; in bfloat16, built in or emulated
WRITING = 3  # forward passes that take as long as writing the same tokens one by one, some windows at once
EXAMPLE = 180  # tokens of a zero-shot question with all its answers, about the mean of the usual seven tasks
WHOLE_TASK = 2000  # questions, where all are asked for
HARM_STRIDE = ProfileSpec.model_fields["harm_stride"].default
ROUGH = {"cpu": 60e9 * (os.cpu_count() or 1), "cuda": 20e12, "mps": 2e12}  # FLOP/s until this machine was measured
WORKED_ON = 5  # times a layer's weights, while it is read and pruned
PROCESS = 600_000_000  # bytes that Python and its libraries take before any model is there
START = 6.0  # seconds that they take to start
READ = 500e6  # bytes of weights a second


# --- work, in FLOP -------------------------------------------------------------------------------------------------


def forward(shape: ModelShape, tokens: float, logits: float = 1) -> float:
    """Some tokens through the layers, and this share of them on to the logits: a vocabulary may outweigh the layers."""
    return 2.0 * tokens * (shape.layers * shape.layer_parameters + logits * shape.vocabulary * shape.width)


def looks(shape: ModelShape, treatment: Treatment | None = None) -> float:
    """A look at every weight, or what pruning and repairing all of them takes."""
    solved = PRUNERS[treatment.pruner].solve_passes + bool(treatment.by("linear")) if treatment else 0
    return forward(shape, LOOK + SOLVING * shape.width * solved, 0)


def spectra(shape: ModelShape) -> float:
    """The eigenvalues of every linear."""
    return removing(shape) / 4


def removing(shape: ModelShape) -> float:
    """Trying which weights of every linear can go."""
    return forward(shape, SOLVING * shape.width, 0)


def times(shape: ModelShape, asked: Measurement) -> int:
    """Number of measurements that a request for one stands for: each linear counts, and each head."""
    return {"linear": shape.linears, "part": shape.heads}.get(stands_for(asked.perturbation), 1)


def measurement(shape: ModelShape, asked: Measurement, tokens: float) -> float:
    """A measurement at every injection layer: each run takes half of the layers on average, and goes on to the harm."""
    pruned = looks(shape, asked.perturbation.treatment) if asked.perturbation.treatment else 0.0
    shares = {"linear": shape.linears, "part": 2}.get(asked.perturbation.prunes, 1)
    runs = (shape.layers - 1) / 2 + asked.perturbation.runs
    return times(shape, asked) * (runs * forward(shape, tokens, 2 / HARM_STRIDE) + pruned / shares)


def measuring(shape: ModelShape, request: MeasureRequest, groups: int = 1) -> float:
    """A whole measurement: clean runs, what is read off the weights, and every perturbation of every group."""
    tokens = request.text.token_count
    clean = 2 + 2 * sum(each.perturbation.compares for each in request.measurements)
    swept = groups * sum(measurement(shape, each, tokens / groups) for each in request.measurements)
    return clean * forward(shape, tokens) + looks(shape) + spectra(shape) + request.removal * removing(shape) + swept


def pruning(shape: ModelShape, calibration: WindowRequest, treatment: Treatment) -> float:
    """Pruning the whole model: every layer is run dense and then pruned, where a text is read at all."""
    tokens = calibration.token_count if treatment.reads_text else 0
    runs = 2 + FOLLOWED * ("pull" in treatment.statistics) + TRAINED * EPOCHS * bool(treatment.by("window"))
    return runs * forward(shape, tokens, 0) + looks(shape, treatment)


def treating(shape: ModelShape, request: Any, asked: Recipe, rate: float = ROUGH["cpu"]) -> tuple[float, ...]:
    """Text of its own, reading the text to train on, pruning the whole model, and training it for its budget.

    Args:
        rate: FLOP/s, of a budget in minutes.
    """
    text, passes = request.calibration, DISTILLED
    if (request.dtype, asked.recover_dtype) == ("float32", "bfloat16"):  # of a bfloat16 model the rate tells
        passes = EMULATED if emulates_bfloat16() else HALVED
    trained = asked.distills * text.token_count
    budget = passes * forward(shape, asked.recover_until or asked.recover_tokens or 0)
    return (
        WRITING * forward(shape, trained) * (asked.recover_text == "own"),
        forward(shape, trained, 0) * passes / DISTILLED,
        pruning(shape, _read(text, asked), asked.treatment),
        budget or 60 * (asked.recover_minutes or 0) * rate,
    )


def _read(text: WindowRequest, asked: Recipe) -> WindowRequest:
    """The calibration text that the pruner reads."""
    return text.replace(sequences=min(text.sequences, asked.pruner_windows or text.sequences))


def judging(shape: ModelShape, judged: EvaluationRequest) -> float:
    """The losses and the zero-shot tasks of one model."""
    return forward(shape, judged.text.token_count) + len(judged.tasks) * task(shape, judged.examples or WHOLE_TASK)


def task(shape: ModelShape, examples: int) -> float:
    """One zero-shot task, roughly: its questions are not read before it runs."""
    return forward(shape, EXAMPLE * examples)


def studying(shape: ModelShape, request: StudyRequest, treatments: Iterable[Treatment]) -> float:
    """The dense model, and settings that are pruned and evaluated, by the treatment of each."""
    each = [pruning(shape, request.calibration, treatment) for treatment in treatments]
    return sum(each) + (1 + len(each)) * judging(shape, request.evaluation)


# --- memory, in bytes ----------------------------------------------------------------------------------------------


def group_size(shape: ModelShape, text: WindowRequest | TextSpec, dtype: str, free: int | None) -> int:
    """Sequences run at once: at least two groups, so that something can be drawn early, and what memory holds.

    Args:
        free: bytes that may be used, or None to leave memory out of it.
    """
    largest = max(1, min(-(-text.sequences // 2), LARGEST_GROUP // text.length))
    if free is None:
        return largest
    return max(1, min(largest, int(free // sequence_bytes(shape, text.length, dtype))))


def sequence_bytes(shape: ModelShape, length: int, dtype: str) -> int:
    """One sequence in a group: clean streams, perturbed streams, logits, and room to compute in."""
    stream = length * shape.width * BYTES[dtype]
    return (2 * shape.layers + 16) * stream + 6 * (length // HARM_STRIDE) * shape.vocabulary * 4


def statistics_bytes(shape: ModelShape, request: MeasureRequest) -> int:
    """Second moments of the linears' inputs and covariances of the streams, where they are needed.

    The MLP's width is read off the parameters, as if attention had four square matrices and the MLP two, so that a
    third one (a gate) makes the figure too large.
    """
    asked = [each.perturbation for each in request.measurements]
    inner = max(shape.layer_parameters / (2 * shape.width) - 2 * shape.width, 0)
    moments = request.removal or any(each.solves for each in asked)
    covariance = any(each.covariance for each in asked)
    return shape.layers * int(4 * moments * (3 * shape.width**2 + inner**2) + 12 * covariance * shape.width**2)


def weight_bytes(shape: ModelShape, dtype: str, gguf: bool) -> int:
    """The weights; of a model that memory does not hold those outside its layers, and a layer at work.

    Args:
        gguf: whether they come from a GGUF file, which is read whole.
    """
    whole = gguf or shape.parameters * BYTES[dtype] <= HEADROOM * free_memory()
    away = 0 if whole else max(shape.layers - WORKED_ON, 0) * shape.layer_parameters
    return (shape.parameters - away) * BYTES[dtype]


def training(shape: ModelShape, sparsity: float, tokens: int, dtype: str) -> int:
    """What distill holds beside the weights: kept ones with their moments, and streams of the calibration text.

    Of a kept weight there are its value, the best one, a gradient and two moments, in float32, and its place; of any
    the mask, while it is saved.
    """
    kept = shape.layers * shape.layer_parameters * (1 + 24 * (1 - sparsity))
    streams = shape.width * (tokens + (shape.layers + 40) * TOKENS_PER_STEP) * BYTES[dtype]
    return int(kept + streams + 6 * CHUNK * shape.vocabulary * 4)


def refuse_too_large(source: Source, dtype: str, store: Store) -> None:
    """Check, before weights are read, that memory can hold what has to be there at once.

    Raises:
        UserError: it cannot.
    """
    need = weight_bytes(read_shape(source, store), dtype, bool(source.gguf))
    what = f"{source.label} needs {need / 2**30:.2g} GiB of memory for its weights in {dtype}"
    insist(need, what, "choose a smaller model or another precision")


def refuse_too_long(source: str) -> None:
    """Check, before a text is read, that memory can hold its characters and its tokens.

    Raises:
        UserError: it cannot.
    """
    need = texts.memory_to_read(source)
    insist(need, f"{brief(source)} may need {need / 2**30:.2g} GiB of memory to be read", "take a part of it")


def insist(need: int, what: str, advice: str, free: int | None = None) -> None:
    """Check that there are so many bytes, of memory or of what is free elsewhere.

    Raises:
        UserError: there are not.
    """
    free = free_memory() if free is None else free
    if need > free:
        raise UserError(f"{what}, and {free / 2**30:.2g} GiB are free: close other programs, or {advice}")


# --- a request -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cost:
    """An estimate; `rough` until a model of this shape was measured on this machine."""

    flops: float
    memory: int  # bytes, at the peak
    parts: int
    loading: float  # seconds
    rate: float  # FLOP/s
    rough: bool

    @property
    def seconds(self) -> float:
        return self.loading + self.flops / self.rate


def model_of(request: Any, store: Store) -> tuple[Source, ModelShape] | None:
    """The files and the shape of a request's model, or None while they, or a checkpoint beside it, are not here.

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
    return source, read_shape(source, store)


def estimate(request: Any, store: Store, device: str = "cpu") -> Cost | None:
    """The cost of a measurement, a study or pruning once, or None while the model's files are not on this machine.

    Nothing counts as stored already.

    Raises:
        UserError: the model or its files are not what they should be.
    """
    model, kind = model_of(request, store), definite_device(device).split(":")[0]
    if model is None:
        return None
    source, shape = model
    weights = weight_bytes(shape, request.dtype, bool(source.gguf))
    known = unsealed(_rate_file(store, kind, shape, request.dtype))
    rate = known or ROUGH.get(kind, ROUGH["cpu"])
    if isinstance(request, MeasureRequest):
        memory, groups = _sweeping(shape, request, weights, kind)
        flop, parts = measuring(shape, request, groups), groups * sum(times(shape, e) for e in request.measurements)
        read = [request.text]
    else:
        study = isinstance(request, StudyRequest)
        settings = [*filter(None, request.points)] if study else [request.setting]
        flop = sum(sum(treating(shape, request, each, rate)) for each in settings)
        memory, parts, read = _walking(shape, request, weights, settings), shape.layers, [request.calibration]
        if study:
            parts = len(request.points)
            flop += parts * judging(shape, request.evaluation)
            read.append(request.evaluation.text)
    memory = max(
        memory, weights + max(texts.memory_to_read(each.source) for each in read)
    )  # while it is read nothing runs
    loading = START + 4 * shape.parameters / READ
    return Cost(flop, int(memory) + PROCESS, parts, loading, rate, not known)


def _sweeping(shape: ModelShape, request: MeasureRequest, weights: int, kind: str) -> tuple[int, int]:
    """Bytes, and how many groups of sequences there are."""
    text = request.text
    models = 1 + sum(each.perturbation.compares for each in request.measurements)
    memory = models * weights + statistics_bytes(shape, request)
    room = int(HEADROOM * max(free_memory() - memory, 0)) if kind == "cpu" else None
    size = group_size(shape, text, request.dtype, room)
    return memory + size * sequence_bytes(shape, text.length, request.dtype), -(-text.sequences // size)


def _walking(shape: ModelShape, request: Any, weights: int, settings: Sequence[Recipe]) -> int:
    """Bytes: the weights twice, for the dense ones are kept, the streams of the calibration text, and logits."""
    text = request.calibration
    paths = 1 + any(row.follows for each in settings for row in each.treatment.repairs)  # a dense one beside it
    read = max((_read(text, each).token_count for each in settings), default=text.token_count)
    streams = 3 * paths * read * shape.width * BYTES[request.dtype]
    trained = (
        training(shape, each.allocation.target, text.token_count, request.dtype) for each in settings if each.distills
    )
    return 2 * weights + max([streams + 4 * WALK_BATCH * shape.vocabulary * 4, *trained])


def words(cost: Cost | None) -> str:
    """The estimate in one sentence."""
    if cost is None:
        return "The cost is not known before the model is on this machine."
    basis = "rough: not yet measured here" if cost.rough else "at the speed measured here"
    return (
        f"{cost.flops / 1e12:.3g} TFLOP, about {duration(cost.seconds)} ({basis}), "
        f"{cost.memory / 2**30:.2g} GiB of memory, {cost.parts} parts."
    )


# --- the speed of this machine -------------------------------------------------------------------------------------


def remember_rate(store: Store, kind: str, shape: ModelShape, dtype: str, rate: float) -> None:
    """Keep how many FLOP a second a finished sweep of this model's shape reached on a kind of device."""
    write_file(_rate_file(store, kind, shape, dtype), sealed(rate))


def _rate_file(store: Store, kind: str, shape: ModelShape, dtype: str) -> Path:
    return store.root / "rates" / f"{kind}-{dtype}-{shape.layers}x{shape.width}x{shape.vocabulary}.json"
