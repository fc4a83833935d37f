"""Results: frozen dataclasses of float64 arrays whose fields say their axes and units; most stored in float32."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any, TypeVar, get_type_hints

import numpy as np

from core.base import Array, frozen
from core.store.files import Corrupt

NUMBER, HALF = np.dtype("<f4"), np.dtype("<f2")  # as stored
Arrays = dict[str, np.ndarray]


@cache
def axes_of(result: Any) -> dict[str, tuple[str, ...]]:
    """Field name -> axis names, in order of declaration; empty for a view, which has no result."""
    forms = get_type_hints(result, include_extras=True) if result else {}
    return {name: tuple(form.__metadata__[0].split()) for name, form in forms.items()}


@cache
def numbers_of(result: Any) -> dict[str, np.dtype]:
    """Field name -> type of its numbers in a file: float32, unless the field says another."""
    forms = get_type_hints(result, include_extras=True) if result else {}
    return {name: next(iter(form.__metadata__[1:]), NUMBER) for name, form in forms.items()}


def encode(result: object | None) -> Arrays:
    """Fields of a result as stored; empty for a view, which has no result."""
    numbers = numbers_of(result and type(result))
    return {name: np.asarray(getattr(result, name), number, order="C") for name, number in numbers.items()}


def decode(arrays: Arrays, form: Any) -> Any:
    """Build a result from its stored fields, in float64; None for a view.

    Raises:
        Corrupt: other fields, types or numbers of axes than the form has.
    """
    axes, numbers = axes_of(form), numbers_of(form)
    if {name: (array.ndim, array.dtype) for name, array in arrays.items()} != {
        name: (len(each), numbers[name]) for name, each in axes.items()
    }:
        raise Corrupt("its arrays are not those of such a result")
    with np.errstate(invalid="ignore"):  # a NaN stays one, also where its bits say "signal"
        return form and form(**{name: arrays[name].astype(np.float64) for name in axes})


# Arrays by the names of their axes; the comment beside a field tells content and unit.
InjectionReadSequence = Annotated[Array, "injection read sequence"]
InjectionRead = Annotated[Array, "injection read"]
InjectionSequence = Annotated[Array, "injection sequence"]
LayerSequence = Annotated[Array, "layer sequence"]
Sequences = Annotated[Array, "sequence"]
LayerLinear = Annotated[Array, "layer linear"]
LayerThreshold = Annotated[Array, "layer threshold"]
Layers = Annotated[Array, "layer"]
Reads = Annotated[Array, "read"]
ReadSequence = Annotated[Array, "read sequence"]
SequenceToken = Annotated[Array, "sequence token"]
LayerTensor = Annotated[Array, "layer tensor"]
Rests = Annotated[Array, "rest"]
Windows = Annotated[Array, "window"]
Examples = Annotated[Array, "example"]
TensorChange = Annotated[Array, "layer module damage draw sequence"]
RestChange = Annotated[Array, "rest draw sequence"]
OutsideChange = Annotated[Array, "matrix damage draw window", HALF]
SketchedChange = Annotated[Array, "layer linear damage draw window", HALF]  # of many numbers, each a random draw


@frozen
class Perturbed:
    """One perturbation injected at every layer in turn; below the diagonal (read before injected) all is NaN.

    "Tokens" are those after the first. Position 0, the attention sink, is kept apart in `drift_first`.
    """

    log_drift: InjectionReadSequence  # mean over tokens of ln(||h'_k - h_k|| / ||h_k||)
    drift: InjectionRead  # ||h'_k - h_k|| / ||h_k||, mean over tokens, then sequences
    drift_first: InjectionRead  # the same at position 0, mean over sequences
    cosine: InjectionRead  # cos(h'_k, h_k), mean over tokens and sequences
    orthogonal: InjectionRead  # share of ||h'_k - h_k|| orthogonal to h_k, mean
    ratio: InjectionSequence  # mean over tokens of final drift / drift at injection
    final_squared: InjectionSequence  # mean over tokens of (final drift)^2
    ratio_q25: InjectionSequence  # lower quartile of the same over tokens
    ratio_q50: InjectionSequence  # median of the same over tokens
    ratio_q75: InjectionSequence  # upper quartile of the same over tokens
    kl: InjectionSequence  # KL(dense || perturbed) of the next token, nats, mean
    nll_increase: InjectionSequence  # nats/token, mean over read tokens
    flips: InjectionSequence  # fraction of read tokens whose likeliest next token changed

    @property
    def layers(self) -> int:
        return self.log_drift.shape[0]

    @property
    def sequences(self) -> int:
        return self.log_drift.shape[2]


Seeds = Sequence[Perturbed]  # one perturbation, by noise seed


def merged(parts: list[Merged]) -> Merged:
    """Join parts of one unit in order: concatenate sequences or windows, average means weighted by their number."""
    form: Any = type(parts[0])
    split = _split(form)
    weights = [count(part) for part in parts]
    values = {}
    for name, names in axes_of(form).items():
        arrays = [getattr(part, name) for part in parts]
        if split in names:
            values[name] = np.concatenate(arrays, axis=names.index(split))
        else:
            values[name] = np.average(arrays, axis=0, weights=weights)
    return form(**values)


def count(part: Merged) -> int:
    """Number of sequences or windows in a part."""
    form: Any = type(part)
    split = _split(form)
    return next(getattr(part, name).shape[axes.index(split)] for name, axes in axes_of(form).items() if split in axes)


def _split(form: Any) -> str:
    """The axis along which a unit is measured in parts."""
    return "sequence" if form is Perturbed else "window"


@frozen
class Activation:
    """Clean run: size of the residual stream, its change by each layer, and the loss."""

    norm: LayerSequence  # ||h_l||, mean over tokens after the first
    log_norm: LayerSequence  # ln ||h_l||, mean over tokens after the first
    norm_first: LayerSequence  # ||h_l|| at position 0
    block_influence: LayerSequence  # 1 - cos(h_{l-1}, h_l), mean over tokens after the first
    nll: Sequences  # nats/token of the clean model, mean over all targets


@frozen
class Weights:
    """Statistics of the weights alone; a layer with fewer linears than others has NaN in their place."""

    parameters: LayerLinear  # prunable weights of a linear
    alpha_hill: LayerLinear  # power-law exponent of the spectrum, Hill estimator
    alpha_peak: LayerLinear  # the same, with the tail that fits best


@frozen
class Scores:
    """Wanda scores `|W_ij| ||X_j||`, pooled over a layer's linears."""

    outlier_ratio: LayerThreshold  # fraction of scores above M times their mean
    mean: Layers  # mean score
    median: Layers  # median score


@frozen
class Removal:
    """Change of a linear's outputs if half of its weights were removed; NaN where a layer has fewer linears."""

    error: LayerLinear  # squared change of the linear's outputs, mean over tokens


@frozen
class Sketch:
    """First-order effect of damages of single linears: of a random score of the next words, by its gradient.

    The mean of `change^2 / 2` over draws and windows, by the tokens of a window, estimates KL(dense || damaged).
    """

    change: SketchedChange  # of the log-probability, nats; NaN where a layer has fewer linears, or no format fits


@frozen
class OutsideSketch:
    """The same of embeddings and output matrix; of tied ones together."""

    change: OutsideChange  # NaN where a type does not fit the width


@frozen
class Floor:
    """Drift from rounding alone."""

    drift: InjectionRead  # drift after rounding-sized noise, one sequence
    half_precision: Reads  # relative distance of the stream from its float32 run; 0 in float32


@frozen
class Cumulative:
    """Another whole checkpoint run beside the model; "tokens" are those after the first, see `Perturbed`."""

    log_drift: ReadSequence  # mean over tokens of ln(||h'_k - h_k|| / ||h_k||)
    drift_first: Reads  # ||h'_k - h_k|| / ||h_k|| at position 0, mean over sequences
    entry: Sequences  # the same before the first layer, mean over tokens
    kl: SequenceToken  # KL(model || other) of the token after tokens 1, 2, ..., nats
    nll_increase: SequenceToken  # rise of the loss of the same, nats
    flips: SequenceToken  # 1 where the likeliest next token is another, else 0


@frozen
class TensorSketch:
    """First-order effect of the tensors of another checkpoint, module by module, as `Sketch`; NaN without gradients.

    Damages: the module as it is, then its weight in the next finer formats; 0 where there is none.
    """

    change: TensorChange  # of the log-probability, nats
    outside: RestChange  # the same of each module outside the layers, the embedding with a tied head


@frozen
class Difference:
    """Differences of another checkpoint's weights; 0 and 1 where a layer lacks a tensor that others have."""

    error: LayerTensor  # ||W' - W|| / ||W||
    scale: LayerTensor  # <W', W> / <W, W>: 1 where W' is W and what is unlike it
    outside: Rests  # the same of each tensor outside the layers


@frozen
class Losses:
    """Losses of a model, dense or pruned, on the windows of a text."""

    nll: Windows  # nats/token, mean over the window's targets
    kl: Windows  # KL(dense || this) of the next token, nats, mean; 0 for the dense model
    agreement: Windows  # fraction of tokens whose likeliest next token is the dense model's
    zeros: LayerLinear  # fraction of the linear's weights that are zero, counted


@frozen
class ZeroShot:
    """Answers to the examples of a zero-shot task."""

    document: Examples  # row of the task's data
    acc: Examples  # 1 where the right answer is the likeliest, else 0
    acc_norm: Examples  # the same by likelihood per character; NaN where the task has none


Merged = TypeVar("Merged", Perturbed, Losses, Sketch)
