"""What pieces of work take, as the FLOP of float32 matrix products that take as long. No torch.

Comparing, sorting and solving take long for the FLOP they compute. How long was seen on a CPU with the bundled model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from core.ask.measurements import Measurement, MeasureRequest
from core.ask.studies import StudyRequest
from core.ask.texts import WindowRequest
from core.kinds import Gaussian
from core.kinds.treatments import PRUNERS, Treatment
from core.models import flops
from core.models.outline import Outline

LOGIT = 500  # a logit that is compared with the clean one
SCORE = 2000  # a weight whose score is held against every outlier threshold
REMOVAL = 15000  # a weight whose removal is tried block by block
SPECTRUM = 5  # eigenvalues of a linear, times its Gram matrix's own FLOP
ROOT = 20  # a root of a covariance, times the cube of its width
CHOICE = 1500  # a weight that stays or goes
MENDING = 40  # a weight that makes up for others, times the width
CHECKS = 6  # times that the tokens are run by which a walk checks its layers
BESIDE = 2.5  # a dense path beside the pruned one, times the walk itself
NOISE = Measurement(perturbation=Gaussian(size=1))


def measuring(shape: Outline, request: MeasureRequest, groups: Sequence[int], device: str) -> float:
    """Everything that a request takes of which nothing is measured yet.

    Args:
        groups: how many sequences are run at once, of one group after another.
    """
    asked, count, length = request.measurements, request.text.sequences, request.text.length
    swept = clean_work(shape, count, length) + measurement_work(shape, NOISE, 1, length)  # the latter for the floor
    swept += sum(check_work(shape, size, length) for size in {1, *groups})
    for each in asked:
        swept += flops.times(shape, each) * sum(measurement_work(shape, each, size, length) for size in groups)
    swept += sum(each.perturbation.compares for each in asked) * cumulative_work(shape, count, length)
    alone = scores_work(shape) + request.removal * removal_work(shape)
    if flops.needs_moments(request):
        alone += moments_work(shape, count * length)
    if any(each.perturbation.covariance for each in asked):
        alone += ROOT * shape.layers * shape.width**3
    pace = flops.rough_rate(device, request.dtype) / flops.rough_rate(device)  # it is done in float32
    return swept + pace * alone + spectra_work(shape, device, request.dtype)


def studying(shape: Outline, request: StudyRequest, treatments: Iterable[Treatment], dense: bool = True) -> float:
    """Settings that are pruned and evaluated, and the dense model if that is not known.

    Args:
        treatments: one for each setting.
    """
    text, treatments = request.evaluation.text, list(treatments)
    judged = evaluation_work(shape, text.sequences, text.length) + flops.tasks_flops(shape, request)
    walked = sum(walk_work(shape, request.calibration, each) for each in treatments)
    beside = judged if dense else flops.stack_flops(shape, text.sequences, text.length)
    return beside + len(treatments) * judged + walked


def harm_work(shape: Outline, sequences: int, length: int) -> float:
    """What reading the harm of one injection takes."""
    tokens = sequences * length // flops.HARM_STRIDE
    return flops.head_flops(shape, tokens) + LOGIT * tokens * shape.vocabulary


def measurement_work(shape: Outline, measurement: Measurement, sequences: int, length: int) -> float:
    """What one measurement of a group takes at every injection layer: harm is read for longer than it computes."""
    logits = shape.layers * (sequences * length // flops.HARM_STRIDE) * shape.vocabulary
    treatment = measurement.perturbation.treatment
    pruned = shape.layers * pruning_work(shape, treatment) if treatment else 0
    if hasattr(measurement.perturbation, "linear"):  # one of them all
        pruned /= shape.linears
    return flops.measurement_flops(shape, measurement, sequences, length) + LOGIT * logits + pruned


def clean_work(shape: Outline, sequences: int, length: int) -> float:
    """What one clean forward takes whose losses are read."""
    return flops.clean_flops(shape, sequences, length) + LOGIT * sequences * length * shape.vocabulary


def cumulative_work(shape: Outline, sequences: int, length: int) -> float:
    """What running two checkpoints side by side takes."""
    return 2 * clean_work(shape, sequences, length)


def check_work(shape: Outline, sequences: int, length: int) -> float:
    """What checking the replay of a group takes: its layers run once in a forward and twice alone."""
    return 3 * shape.layers * flops.layer_flops(shape, sequences * length, length)


def scores_work(shape: Outline) -> float:
    """What describing all linears' scores takes."""
    return SCORE * shape.layers * shape.layer_parameters


def removal_work(shape: Outline) -> float:
    """What removing half of every linear's weights one after another takes."""
    return REMOVAL * shape.layers * shape.layer_parameters


def spectra_work(shape: Outline, device: str, dtype: str = "float32") -> float:
    """What the spectra of all linears take, as FLOP of a device: they are computed on the CPU whatever the device."""
    waiting = flops.rough_rate(device, dtype) / flops.rough_rate("cpu")
    return waiting * SPECTRUM * 2.0 * shape.width * shape.layers * shape.layer_parameters


def moments_work(shape: Outline, tokens: int) -> float:
    """What summing up the second moments of all linears' inputs takes."""
    return 2.0 * tokens * flops.second_moment_bytes(shape) / 4


def pruning_work(shape: Outline, treatment: Treatment) -> float:
    """What pruning, and repairing, the linears of one layer takes."""
    mends = PRUNERS[treatment.pruner].mends + bool(treatment.repair)
    return (CHOICE + MENDING * mends * shape.width) * shape.layer_parameters


def walk_work(shape: Outline, calibration: WindowRequest, treatment: Treatment) -> float:
    """What pruning the whole model takes, layer by layer."""
    found = shape.layers * pruning_work(shape, treatment)
    if not treatment.reads_text:
        return found
    tokens = calibration.sequences * calibration.length
    moments = moments_work(shape, tokens) if "second_moment" in treatment.statistics else 0
    beside = BESIDE * flops.walk_flops(shape, calibration) if "pull" in treatment.statistics else 0
    checked = CHECKS * shape.layers * flops.layer_flops(shape, flops.CHECKED, flops.CHECKED)
    return found + moments + checked + beside + flops.walk_flops(shape, calibration)


def evaluation_work(shape: Outline, sequences: int, length: int) -> float:
    """What the losses of some windows take, beside the dense model's logits."""
    return flops.evaluation_flops(shape, sequences, length) + LOGIT * sequences * length * shape.vocabulary
