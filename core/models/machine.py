"""Devices and free memory of this machine, and whether a request fits into it. No torch."""

import importlib.metadata
import platform
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from core.base import UserError, brief
from core.methods import CHUNK, TOKENS_PER_STEP
from core.models import texts
from core.models.sources import Source, read_shape
from core.requests import MeasureRequest, ModelShape, OfWindows, ProfileSpec, Recipe, Sketching, sketching, workload
from core.store import Store

try:
    import resource
except ImportError:  # Windows sets a process no such limits
    resource = None

DEVICE_NAME = re.compile(r"cpu|mps|cuda(:\d{1,3})?")
CPU = Path("/proc/cpuinfo")
HEADROOM = 0.8  # share of the free memory that may be planned with


def devices() -> tuple[str, ...]:
    """Devices to offer, the best first; `cpu` is always the last."""
    if sys.platform == "darwin":
        return ("mps", "cpu") if platform.machine() == "arm64" else ("cpu",)
    has_cuda = shutil.which("nvidia-smi") is not None and not importlib.metadata.version("torch").endswith("+cpu")
    return ("cuda", "cpu") if has_cuda else ("cpu",)


def emulates_bfloat16() -> bool:
    """True if bfloat16 is far slower than float32: no GPU, and a processor whose flags name neither it nor AVX-512."""
    return devices() == ("cpu",) and CPU.exists() and not re.search("bf16|avx512bw|avx_ne_convert", CPU.read_text())


def device_named(device: str) -> str:
    """Check a typed device and make `auto` definite.

    Raises:
        UserError: no device is called so, on any machine.
    """
    if device != "auto" and not DEVICE_NAME.fullmatch(device):
        raise UserError(f"there is no device {brief(device)}: give cpu, cuda, cuda:1, mps or auto")
    return devices()[0] if device == "auto" else device


def free_memory() -> int:
    """Free bytes of memory, within the limits of this process and of its container."""
    return min([psutil.virtual_memory().available, *_process_limits(), *container_limits()])


def _process_limits() -> list[int]:
    """Bytes that each limit of this process leaves it."""
    if resource is None:
        return []
    used = psutil.Process().memory_info()
    limits = {"RLIMIT_AS": used.vms, "RLIMIT_DATA": getattr(used, "data", 0)}
    maxima = {name: resource.getrlimit(getattr(resource, name))[0] for name in limits if hasattr(resource, name)}
    return [max(0, most - limits[name]) for name, most in maxima.items() if most != resource.RLIM_INFINITY]


def container_limits(root: Path = Path("/")) -> list[int]:
    """Bytes that each memory limit of this process's control groups leaves it; none where there are no such groups.

    A group is bounded by those above it too. A container may see its own group as the root of them all. Groups of
    version 1, which old systems have, are not read.

    Args:
        root: where `proc` and `sys` lie.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    path = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "/")
    inside = Path() if ".." in path else Path(path.strip("/"))
    left = [_bytes_left(root / "sys/fs/cgroup" / each) for each in (inside, *inside.parents)]
    return [each for each in left if each is not None]


def _bytes_left(folder: Path) -> int | None:
    """Bytes that one group has left, or None where it has no limit."""
    try:
        most, used = (int((folder / name).read_text()) for name in ("memory.max", "memory.current"))
        memory = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # of no limit it says `max`
        return None
    files = sum(int(memory.get(name, 0)) for name in ("active_file", "inactive_file"))  # copies, which give way
    return max(0, most - used + files)


# --- memory of a request in bytes, counted before it runs, and refused where it cannot suffice. No torch -------------

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
LARGEST_GROUP = 16384  # tokens run at once: more does not make a matrix product faster
WALK_BATCH = 2048  # tokens per forward while pruning
MOST_DAMAGES = 2**28  # numbers of the damages of one linear that a sketch holds at once
# tokens that a sketch takes back through a layer at once: 512 take 0.7 of the time of four times 128
BACK_TOGETHER = 512
HARM_STRIDE = ProfileSpec.model_fields["harm_stride"].default
WORKED_ON = 5  # times a layer's weights, while it is read and pruned
PROCESS = 600_000_000  # bytes that Python and its libraries take before any model is there


def group_size(shape: ModelShape, text: OfWindows, dtype: str, free: int | None) -> int:
    """Sequences run at once: at least two groups, so that something can be drawn early, and no more than memory holds.

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


def sketch_size(shape: ModelShape, text: OfWindows, plan: Sketching, dtype: str, free: int) -> int:
    """Sequences that are sketched at once: each damage is made once for all of them. free: bytes that may be used."""
    once, each = sketch_bytes(shape, text.length, plan, dtype)
    many, together = min(text.sequences, int((free - once) // each)), sketched_together(text.length)
    return max(together, many - many % together)


def sketched_together(length: int) -> int:
    """Windows that a sketch takes through a layer at once."""
    return max(1, BACK_TOGETHER // length)


def sketch_bytes(shape: ModelShape, length: int, plan: Sketching, dtype: str) -> tuple[int, int]:
    """Damages of a linear, or embeddings rounded, and logits; of each sequence streams, and gradients at a layer.

    The outputs of a layer's linears are taken to be as wide as if each read the stream, which is too much.
    """
    damages = min(len(plan.damages) * shape.layer_parameters, MOST_DAMAGES)
    once = 4 * (max(damages, 3 * shape.vocabulary * shape.width) + 6 * length * shape.vocabulary)
    outputs = shape.layer_parameters // shape.width
    return once, length * BYTES[dtype] * (2 * shape.layers * shape.width + plan.draws * (shape.width + outputs))


def sweep_bytes(shape: ModelShape, request: MeasureRequest, weights: int, is_limited: bool) -> tuple[int, int]:
    """A sweep with one group of sequences at work, and how many groups there are.

    Args:
        is_limited: True where groups are as small as this machine's memory needs.
    """
    text = request.text
    models = 1 + sum(each.perturbation.compares for each in request.measurements)
    memory = models * weights + statistics_bytes(shape, request)
    room = int(HEADROOM * max(free_memory() - memory, 0)) if is_limited else None
    size = group_size(shape, text, request.dtype, room)
    at_work = size * sequence_bytes(shape, text.length, request.dtype)
    if request.sketch:
        plan = sketching(text)
        once, each = sketch_bytes(shape, text.length, plan, request.dtype)
        together = sketch_size(shape, text, plan, request.dtype, room) if is_limited else text.sequences
        at_work = max(at_work, once + together * each)
    return memory + at_work, -(-text.sequences // size)


def statistics_bytes(shape: ModelShape, request: MeasureRequest) -> int:
    """Second moments of the linears' inputs and covariances of the streams, where they are needed.

    The MLP's width is read off the parameters, as if attention had four square matrices and the MLP two, so that a
    third one (a gate) makes the figure too large.
    """
    perturbations = [each.perturbation for each in request.measurements]
    inner = max(shape.layer_parameters / (2 * shape.width) - 2 * shape.width, 0)
    moments = request.removal or any(each.solves for each in perturbations)
    covariance = any(each.covariance for each in perturbations)
    return shape.layers * int(4 * moments * (3 * shape.width**2 + inner**2) + 12 * covariance * shape.width**2)


def walk_bytes(shape: ModelShape, request: Any, weights: int, recipes: Sequence[Recipe]) -> int:
    """The weights twice, for the dense ones are kept, the streams of the calibration text, and logits."""
    text = request.calibration
    paths = 1 + any(row.follows for each in recipes for row in each.treatment.repairs)  # a dense one beside it
    read = max((workload.pruner_text(request, each).token_count for each in recipes), default=text.token_count)
    streams = 3 * paths * read * shape.width * BYTES[request.dtype]
    trained = (
        training_bytes(shape, each.allocation.target, text.token_count, request.dtype)
        for each in recipes
        if each.distills
    )
    return 2 * weights + max([streams + 4 * WALK_BATCH * shape.vocabulary * 4, *trained])


def training_bytes(shape: ModelShape, sparsity: float, tokens: int, dtype: str) -> int:
    """Memory of distill beside the weights: kept ones with their moments, and streams of the calibration text.

    Of a kept weight there are its value, the best one, a gradient and two moments, in float32, and its place; of any
    the mask, while it is saved.
    """
    kept_weights = shape.layers * shape.layer_parameters * (1 + 24 * (1 - sparsity))
    streams = shape.width * (tokens + (shape.layers + 40) * TOKENS_PER_STEP) * BYTES[dtype]
    return int(kept_weights + streams + 6 * CHUNK * shape.vocabulary * 4)


def weight_bytes(shape: ModelShape, dtype: str, gguf: bool) -> int:
    """The weights; of a model that memory does not hold those outside its layers, and a layer at work.

    Args:
        gguf: True where they come from a GGUF file, which is read whole.
    """
    whole = gguf or shape.parameters * BYTES[dtype] <= HEADROOM * free_memory()
    away = 0 if whole else max(shape.layers - WORKED_ON, 0) * shape.layer_parameters
    return (shape.parameters - away) * BYTES[dtype]


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
