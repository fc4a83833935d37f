"""What a measurement or a study computes, takes and holds: FLOP and bytes. No torch."""

from __future__ import annotations

import os

from core.ask.measurements import Measurement, MeasureRequest, ProfileSpec
from core.ask.perturbations import EACH
from core.ask.studies import StudyRequest
from core.ask.texts import WindowRequest
from core.models.outline import Outline

CORE = 60e9  # FLOP/s of a CPU's core, in float32
ROUGH_RATE = {"cpu": CORE * (os.cpu_count() or 1), "cuda": 20e12, "mps": 2e12}
SLOW = {("cpu", "float16"): 0.25}  # speed of products in a dtype, next to those in float32
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
LARGEST_GROUP = 16384  # tokens run at once: more does not make a matrix product faster
TOKENS_PER_EXAMPLE = 180  # of a zero-shot task, all its answers together: about the mean of the usual seven
WHOLE_TASK = 2000  # examples, where all are asked for
WALK_BATCH = 2048  # tokens per forward while pruning
CHECKED = 64  # tokens of one sequence on which every layer is first run apart from its model, before pruning
HARM_STRIDE = ProfileSpec.model_fields["harm_stride"].default


def kind(device: str) -> str:
    """`cuda:1` -> `cuda`."""
    return device.split(":")[0]


def rough_rate(device: str, dtype: str = "float32") -> float:
    """FLOP/s to go by until this machine was measured."""
    return ROUGH_RATE.get(kind(device), ROUGH_RATE["cpu"]) * SLOW.get((kind(device), dtype), 1.0)


def layer_flops(shape: Outline, tokens: int, length: int) -> float:
    """One layer on some tokens: its matrices, and attention over `length` positions."""
    return tokens * (2.0 * shape.layer_parameters + 4.0 * length * shape.width)


def head_flops(shape: Outline, tokens: int) -> float:
    """Logits of some tokens."""
    return 2.0 * tokens * shape.width * shape.vocabulary


def measurement_flops(shape: Outline, measurement: Measurement, sequences: int, length: int) -> float:
    """One measurement at every injection layer, harm included."""
    tokens = sequences * length
    runs = shape.layers * (shape.layers - 1) / 2 + shape.layers * measurement.perturbation.runs
    harm = shape.layers * head_flops(shape, tokens // HARM_STRIDE)
    return runs * layer_flops(shape, tokens, length) + harm


def stack_flops(shape: Outline, sequences: int, length: int) -> float:
    """Every layer on some sequences."""
    return shape.layers * layer_flops(shape, sequences * length, length)


def clean_flops(shape: Outline, sequences: int, length: int) -> float:
    """One clean forward."""
    return stack_flops(shape, sequences, length) + head_flops(shape, sequences * length)


def request_flops(shape: Outline, request: MeasureRequest) -> float:
    """Everything: statistics, recording, the check of the replay, the noise floor, the measurements."""
    text = request.text
    clean = 3 * clean_flops(shape, text.sequences, text.length)
    floor = measurement_flops(shape, request.measurements[0], 1, text.length)
    measured = (
        times(shape, each) * measurement_flops(shape, each, text.sequences, text.length)
        for each in request.measurements
    )
    beside = sum(each.perturbation.compares for each in request.measurements)
    return clean + floor + sum(measured) + 2 * beside * clean_flops(shape, text.sequences, text.length)


def times(shape: Outline, measurement: Measurement) -> int:
    """How many measurements one stands for."""
    return shape.linears if getattr(measurement.perturbation, "linear", None) == EACH else 1


def needs_moments(request: MeasureRequest) -> bool:
    """Whether the second moments of the linears' inputs are summed up."""
    return request.removal or any("second_moment" in each.perturbation.statistics for each in request.measurements)


def walk_flops(shape: Outline, calibration: WindowRequest) -> float:
    """Pruning the whole model once: each layer dense, then pruned, on all tokens; one batch is recorded first."""
    recorded = min(calibration.sequences, max(1, WALK_BATCH // calibration.length))
    once = clean_flops(shape, calibration.sequences, calibration.length)
    return 2 * once + clean_flops(shape, recorded, calibration.length)


def evaluation_flops(shape: Outline, sequences: int, length: int) -> float:
    """Losses of some windows, and the dense model's logits beside them."""
    return clean_flops(shape, sequences, length) + head_flops(shape, sequences * length)


def task_flops(shape: Outline, examples: int) -> float:
    """A zero-shot task, roughly: its questions are not read before it runs."""
    return clean_flops(shape, examples, TOKENS_PER_EXAMPLE)


def study_flops(shape: Outline, request: StudyRequest, losses: int, points: int, pruned: int) -> float:
    """A study of which `losses` points lack their losses and `points` lack anything, `pruned` of them not dense.

    The dense model runs once, whether it is judged too or only stands beside the others.
    """
    text, calibration = request.evaluation.text, request.calibration
    beside = stack_flops(shape, text.sequences, text.length) if 0 < losses <= pruned else 0.0
    each = evaluation_flops(shape, text.sequences, text.length)
    return beside + losses * each + pruned * walk_flops(shape, calibration) + points * tasks_flops(shape, request)


def point_flops(shape: Outline, request: StudyRequest, pruned: bool) -> float:
    """One point of a study; the dense one is not pruned."""
    text = request.evaluation.text
    walk = walk_flops(shape, request.calibration) if pruned else 0.0
    return walk + evaluation_flops(shape, text.sequences, text.length) + tasks_flops(shape, request)


def tasks_flops(shape: Outline, request: StudyRequest) -> float:
    """All zero-shot tasks of one point."""
    return len(request.evaluation.tasks) * task_flops(shape, request.evaluation.examples or WHOLE_TASK)


def sequence_bytes(shape: Outline, length: int, dtype: str) -> int:
    """Memory of one sequence in a group: clean streams, perturbed streams, logits, and room to compute in."""
    stream = length * shape.width * BYTES[dtype]
    streams = 2 * shape.layers * stream
    logits = 6 * (length // HARM_STRIDE) * shape.vocabulary * 4
    return streams + logits + 16 * stream


def second_moment_bytes(shape: Outline) -> int:
    """Memory of the second moments of the linears' inputs: per layer three of the stream's width and one of the MLP's.

    The MLP's width is read off the parameters, as if attention had four square matrices and the MLP two, so that a
    third one (a gate) makes the figure too large.
    """
    inner = max(shape.layer_parameters / (2 * shape.width) - 2 * shape.width, 0)
    return int(4 * shape.layers * (3 * shape.width**2 + inner**2))


def covariance_bytes(shape: Outline) -> int:
    """Memory of the residual stream's covariances, in float64, and of their roots in float32."""
    return 12 * shape.layers * shape.width**2


def group_size(shape: Outline, sequences: int, length: int, dtype: str, free: int | None) -> int:
    """Sequences per group: at least two groups, so that something can be drawn early, and what memory holds.

    Args:
        free: bytes that may be used, or None to leave memory out of it.
    """
    largest = max(1, min(-(-sequences // 2), LARGEST_GROUP // length))
    if free is None:
        return largest
    return max(1, min(largest, int(free // sequence_bytes(shape, length, dtype))))


def groups(shape: Outline, sequences: int, length: int, dtype: str, free: int | None) -> list[int]:
    """The sequences of one group after another; `free` as in `group_size`."""
    size = group_size(shape, sequences, length, dtype, free)
    return [min(size, sequences - first) for first in range(0, sequences, size)]
