"""The work of a request: parts of a few kinds, each weighed by the tokens whose pass through the layers takes as long.

Weights were seen on a CPU. How long a token takes is measured while a run goes on, and told nowhere here.
"""

from typing import Any, NamedTuple

from core.methods import EPOCHS, PRUNERS, Treatment
from core.requests.inputs import WindowRequest
from core.requests.measurements import (
    OUTSIDE_WINDOWS,
    Measurement,
    MeasureRequest,
    Sketching,
    outside_sketching,
    sketching,
    stands_for,
)
from core.requests.recipes import Recipe
from core.requests.studies import EvaluationRequest

LOOK = 1000  # of a look at every weight
SOLVING = 20  # times the width: of making up for every weight by others
FOLLOWED = 7  # more passes of a walk with a dense path: every group of linears runs its layer on both paths
TRAINED = 4  # passes that take as long as training on the same tokens: two forward, and one back
DISTILLED, HALVED, EMULATED = 5, 3, 70  # the same for the whole model; in bfloat16, built in or emulated
BACK, DAMAGED = 1.6, 0.5  # passes back of a sketch beside the head's, and looks at a weight for each of its damages
WRITING = 3  # passes that take as long as writing the same tokens one by one, some windows at once
EXAMPLE = 180  # tokens of a zero-shot question with all its answers, about the mean of the usual seven tasks
WHOLE_TASK = 2000  # questions, where all are asked for
SPEED, SIZE = 300.0, 1e7  # tokens a second on two cores, with a model of so many layers times its squared width


class ModelShape(NamedTuple):
    """Sizes of a model that its costs depend on."""

    layers: int
    width: int
    vocabulary: int
    layer_parameters: int  # matrix weights of one layer, mean over layers
    parameters: int  # of the whole model
    linears: int = 7  # matrices in a layer
    heads: int = 1  # query heads of an attention

    @property
    def to_logits(self) -> float:
        """Weight of a token that goes on to the logits: a vocabulary may outweigh the layers."""
        return 1 + self.vocabulary * self.width / (self.layers * self.layer_parameters)

    def look(self, solving: float = 0) -> float:
        """Weight of a look at every weight, and of so many passes that make up for each by others."""
        return LOOK + SOLVING * self.width * solving


class Counts(NamedTuple):
    """Counts of a model's numbers: in the linears of its layers, in matrices beside them, in vectors."""

    linears: int
    matrices: int  # embeddings; tied ones once
    vectors: int  # norms and biases
    inner: int = 0  # those of them inside layers
    head: int = 0  # those of the matrices in an output matrix of its own


def solving(treatment: Treatment) -> float:
    """Passes over the weights that a pruner and its repairs solve in."""
    return PRUNERS[treatment.pruner].solve_passes + bool(treatment.by("linear"))


def measurement(shape: ModelShape, measured: Measurement | Sketching, tokens: float) -> float:
    """A measurement at every injection layer: each run takes half of the layers on average. Or a sketch."""
    if isinstance(measured, Sketching):
        return sketch(shape, measured, tokens)
    kind = measured.perturbation
    pruned = shape.look(solving(kind.treatment)) if kind.treatment else 0.0
    shares = {"linear": shape.linears, "part": 2}.get(kind.prunes, 1)
    return repeats(shape, measured) * (((shape.layers - 1) / 2 + kind.runs) * tokens + pruned / shares)


def sketch(shape: ModelShape, planned: Sketching, tokens: float) -> float:
    """A run, of every draw one back through head and layers with a gradient of each weight, and every damage."""
    return tokens * (2 + planned.draws * (BACK + shape.to_logits)) + DAMAGED * len(planned.damages) * shape.look()


def repeats(shape: ModelShape, measured: Measurement) -> int:
    """Number of measurements that a request for one stands for: each linear counts, and each head."""
    return {"linear": shape.linears, "part": shape.heads}.get(stands_for(measured.perturbation), 1)


def sweep(shape: ModelShape, request: MeasureRequest, groups: int = 1) -> float:
    """A whole measurement: clean runs, what is read off the weights, and every perturbation of every group."""
    tokens = request.text.token_count
    clean = 2 + 2 * sum(each.perturbation.compares for each in request.measurements)
    swept = sum(measurement(shape, each, tokens / groups) for each in request.measurements)
    looks = shape.look() + shape.look(0.25) + request.removal * shape.look(1)  # scores, spectra, removed weights
    sketched = request.sketch and _sketches(shape, request)
    return clean * tokens + looks + groups * swept + sketched


def _sketches(shape: ModelShape, request: MeasureRequest) -> float:
    """Sketches of all linears, and of what lies outside the layers."""
    text, whole = request.text, sketching(request.text, request.kquants)
    beside = outside_sketching(whole, text.sequences)
    some = text.length * min(text.sequences, OUTSIDE_WINDOWS)
    return sketch(shape, whole, text.token_count) + sketch(shape, beside, some)


def pruning(shape: ModelShape, text: WindowRequest, treatment: Treatment) -> float:
    """Pruning the whole model: every layer is run dense and then pruned, where a text is read at all."""
    runs = 2 + FOLLOWED * ("pull" in treatment.statistics) + TRAINED * EPOCHS * bool(treatment.by("window"))
    return runs * text.token_count * treatment.reads_text + shape.look(solving(treatment))


def treating(
    shape: ModelShape, request: Any, recipe: Recipe, emulates: bool, speed: float = SPEED
) -> tuple[float, ...]:
    """Text of its own, reading the text to train on, pruning the whole model, and training it for its budget.

    Args:
        request: whose calibration text is taken.
        emulates: True if this machine computes bfloat16 by float32, many times slower.
        speed: tokens a second, of a budget in minutes.
    """
    passes = DISTILLED
    if (request.dtype, recipe.recover_dtype) == ("float32", "bfloat16"):  # of a bfloat16 model the speed tells
        passes = EMULATED if emulates else HALVED
    trained = recipe.distills * request.calibration.token_count
    budget = passes * shape.to_logits * (recipe.recover_until or recipe.recover_tokens or 0)
    return (
        WRITING * shape.to_logits * trained * (recipe.recover_text == "own"),
        trained * passes / DISTILLED,
        pruning(shape, pruner_text(request, recipe), recipe.treatment),
        budget or 60 * (recipe.recover_minutes or 0) * speed,
    )


def pruner_text(request: Any, recipe: Recipe) -> WindowRequest:
    """The part of the calibration text that the pruner reads."""
    text = request.calibration
    return text.replace(sequences=min(text.sequences, recipe.pruner_windows or text.sequences))


def judging(shape: ModelShape, judged: EvaluationRequest) -> float:
    """The losses and the zero-shot tasks of one model; a task roughly: its questions are not read before it runs."""
    questions = len(judged.tasks) * (judged.examples or WHOLE_TASK)
    return shape.to_logits * (judged.text.token_count + EXAMPLE * questions)
