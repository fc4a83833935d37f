"""Measurements of a model on a text: requests, stored units, and the profile over them."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import ClassVar, Literal

from pydantic import Field

from core.base import Fields, Spec, View, model_name, optional_field, text_name, unique
from core.methods import PRUNERS, QUANT_FORMATS, SKETCHED, SKETCHED_KQUANTS, Method, Perturbation
from core.requests.inputs import ModelSpec, OfModel, OfWindows, TextSpec, WindowRequest

MOST = 1000  # measurements at once
SAMPLES = 256  # backward passes of a sketch, over all windows
TENSOR_SAMPLES = 64  # the same of the tensors of another checkpoint: the largest share is known to a seventh of itself
OUTSIDE_WINDOWS, OUTSIDE_SAMPLES = 8, 32  # of a sketch of embeddings and output matrix: harms known to a fifth
FINER = 3  # formats that a linear of it is tried in beside its own
EACH = "each"  # linear, or the number of a head: stands for every one of the model, one measurement for each
SMALLEST_HALF_PRECISION_SIZE = 0.05


class Measurement(Spec):
    """One perturbation with one noise seed; kinds without noise have seed 0."""

    perturbation: Perturbation
    seed: int = Field(0, ge=0)

    @property
    def name(self) -> str:
        return self.perturbation.name + (f" seed {self.seed}" if self.seed else "")

    @property
    def pruner(self) -> str | None:
        """Name of its pruner; None if it prunes nothing."""
        return self.perturbation.treatment and self.perturbation.treatment.pruner


class Sketching(Spec):
    """Damages of every linear whose harm is estimated by gradients, in place of being run."""

    damages: tuple[str, ...] = Field(tuple(SKETCHED), min_length=1, description="names in the table of damages")
    draws: int = Field(ge=1, description="random scores of the next words, each a backward pass of every window")

    @property
    def name(self) -> str:
        return "sketch of every linear"


def sketching(text: OfWindows, kquants: str = "none") -> Sketching:
    """The sketch of a text: as many backward passes whatever its length, and at least one for each window.

    Args:
        kquants: as of `MeasureRequest`.
    """
    names = [name for name in SKETCHED_KQUANTS if kquants == "all" or (kquants == "fast" and name[:3] != "IQ2")]
    return Sketching(damages=(*SKETCHED, *names), draws=-(-SAMPLES // text.sequences))


def outside_sketching(sketch: Sketching, sequences: int) -> Sketching | None:
    """The sketch of the matrices outside the layers: GGUF types, on the first `OUTSIDE_WINDOWS`; None without them."""
    forms = (QUANT_FORMATS[name] for name in sketch.damages if name in QUANT_FORMATS)
    names = tuple(form.name for form in forms if form.gguf and not form.needs_importance)
    draws = -(-OUTSIDE_SAMPLES // min(sequences, OUTSIDE_WINDOWS))
    return Sketching(damages=names, draws=draws) if names else None


def tensor_sketching(sequences: int) -> Sketching:
    """The sketch of another checkpoint's tensors: as they are, and each linear in the next `FINER` formats."""
    return Sketching(damages=("",) * (1 + FINER), draws=-(-TENSOR_SAMPLES // sequences))


class PerturbedSpec(Spec):
    """One stored unit: one measurement at every injection layer, on every sequence."""

    model: ModelSpec
    text: TextSpec
    measurement: Measurement
    harm_stride: int = Field(4, ge=1, description="harm is read at tokens 1, 1 + stride, 1 + 2 stride, ...")
    method: Method = Field(1, description="the pruner's, where it prunes")

    @property
    def is_outdated(self) -> bool:
        """True if its pruner gives slightly other numbers by now."""
        pruner = self.measurement.pruner
        return bool(pruner) and PRUNERS[pruner].method != self.method


class OfWeights(Spec):
    """A stored unit of a model."""

    model: ModelSpec
    method: Literal[1] = 1


class OnText(OfWeights):
    """A stored unit of a model on a text."""

    text: TextSpec


class ActivationSpec(OnText):
    """Statistics of the clean run: residual norms, block influence, loss."""


class WeightSpec(OfWeights):
    """Statistics of the weights alone: their number, and how heavy-tailed their spectra are."""


class ScoreSpec(OnText):
    """Wanda scores of the dense model on a text: outliers, mean, median."""


class RemovalSpec(OnText):
    """Change in the outputs of the dense model's linears on a text if half of their weights were removed."""


class SketchSpec(OnText):
    """Signed first-order changes of the log-probability by damages of every linear."""

    sketching: Sketching


class OutsideSketchSpec(OnText):
    """The same by GGUF types of embeddings and output matrix."""

    sketching: Sketching


class FloorSpec(OnText):
    """Final drift after rounding-sized noise: below ten times this, a drift says nothing."""


class CumulativeSpec(OnText):
    """The whole of another checkpoint run beside the model."""

    other: str = Field(description="beginning of the hash of the other's files")


class TensorSketchSpec(CumulativeSpec):
    """Signed first-order changes of the log-probability by every tensor of another checkpoint."""


class DifferenceSpec(OfWeights):
    """Difference between the weights of this checkpoint and another."""

    other: str = Field(description="beginning of the hash of the other's files")


def _on_text(form: type[OnText]) -> property:
    """A property of profiles: their unit of a form."""
    return property(lambda profile: form(model=profile.model, text=profile.text))


class ProfileSpec(View):
    """A view over units: all measurements of one model on one text."""

    unkeyed: ClassVar[frozenset[str]] = frozenset({"outside"})  # sketches of before there was one gain it

    model: ModelSpec
    text: TextSpec
    measurements: tuple[Measurement, ...] = Field(min_length=1)
    prunable: bool = Field(False, description="every layer's matrices are linears, so that sparsities mean something")
    harm_stride: int = Field(4, ge=1)
    removal: bool = optional_field(False, "what LSA looks at is measured too")
    methods: tuple[tuple[str, Method], ...] = optional_field(
        (), "of the pruners it prunes by, where that is not the first one"
    )

    sketch: Sketching | None = optional_field(None, "damages of every linear that gradients measured")
    outside: Sketching | None = optional_field(None, "GGUF types of embeddings and output matrix, by gradients")
    tensors: bool = optional_field(False, "tensors of other checkpoints that gradients measured")

    activation: ClassVar = _on_text(ActivationSpec)
    floor: ClassVar = _on_text(FloorSpec)
    scores: ClassVar = _on_text(ScoreSpec)
    removed: ClassVar = _on_text(RemovalSpec)

    @property
    def weights(self) -> WeightSpec:
        return WeightSpec(model=self.model)

    @property
    def outside_sketch(self) -> OutsideSketchSpec | None:
        plan = self.outside
        return OutsideSketchSpec(model=self.model, text=self.text, sketching=plan) if plan else None

    @property
    def is_incomplete(self) -> bool:
        return bool(self.sketch and not self.outside and outside_sketching(self.sketch, self.text.sequences))

    @property
    def parted(self) -> tuple[Measurement | Sketching, ...]:
        """Every perturbation, and the sketch: measured part by part."""
        return *self.measurements, *filter(None, [self.sketch])

    def unit(self, measurement: Measurement | Sketching) -> PerturbedSpec | SketchSpec:
        if isinstance(measurement, Sketching):
            return SketchSpec(model=self.model, text=self.text, sketching=measurement)
        method = dict(self.methods).get(measurement.pruner, 1)
        return PerturbedSpec(
            model=self.model, text=self.text, measurement=measurement, harm_stride=self.harm_stride, method=method
        )

    @property
    def others(self) -> dict[str, str]:
        """Perturbation name -> the checkpoint it takes layers from, by the first characters of its files' hash."""
        kinds = (each.perturbation for each in self.measurements)
        return {each.name: each.source for each in kinds if each.compares}

    def cumulative(self, other: str) -> CumulativeSpec:
        return CumulativeSpec(model=self.model, text=self.text, other=other)

    def tensor_sketch(self, other: str) -> TensorSketchSpec:
        return TensorSketchSpec(model=self.model, text=self.text, other=other)

    def difference(self, other: str) -> DifferenceSpec:
        return DifferenceSpec(model=self.model, other=other)

    @property
    def units(self) -> tuple[Spec, ...]:
        of_weights = (self.weights, self.scores) if self.prunable else ()
        of_removal = (self.removed,) if self.removal else ()
        made = (self.cumulative, self.difference, *[self.tensor_sketch] * self.tensors)
        of_others = (make(other) for other in self.others.values() for make in made)
        beside = filter(None, [self.outside_sketch])
        return self.activation, self.floor, *of_weights, *of_removal, *of_others, *map(self.unit, self.parted), *beside

    @property
    def names(self) -> list[str]:
        """Names of the perturbations, each once whatever its seeds."""
        return unique(each.perturbation.name for each in self.measurements)

    def record(self, provenance: Fields) -> Fields:
        seconds = provenance.get("seconds", {})
        seconds = seconds if isinstance(seconds, dict) else {"sweep": seconds}
        return {
            "seconds": seconds.get("sweep"),
            "seconds_loading": seconds.get("loading"),
            "seconds_statistics": seconds.get("statistics"),
            **{name: provenance.get(name) for name in ("engine", "model", "text")},
            "sequences": self.text.sequences,
            "length": self.text.length,
            "perturbations": self.names,
            "warnings": provenance.get("warnings", []),
        }


class MeasureRequest(OfModel):
    """The request for a profile: a model, a text and a list of perturbations."""

    text: WindowRequest = WindowRequest()
    measurements: tuple[Measurement, ...] = Field(min_length=1, max_length=MOST)
    removal: bool = optional_field(
        False, "measure what LSA looks at too", title="Also measure the error each matrix makes"
    )
    sketch: bool = optional_field(
        False, "estimate the harm of every linear at every level by gradients", title="Sketch of every linear"
    )

    kquants: Literal["none", "fast", "all"] = optional_field(
        "none",
        "K- and IQ-types of llama.cpp in the sketch: fast ones, or all, where IQ2 takes an hour",
        title="K-quants",
    )

    @property
    def title(self) -> str:
        return f"measurement of {model_name(self.model)} on {text_name(self.text.source)}"

    def check(self) -> None:
        if self.kquants != "none" and not self.sketch:
            raise ValueError("kquants says what else the sketch looks at: ask for the sketch with it")
        if self.dtype == "float32":
            return
        for measurement in self.measurements:
            if abs(getattr(measurement.perturbation, "size", 1.0)) < SMALLEST_HALF_PRECISION_SIZE:
                raise ValueError(
                    f"{measurement.perturbation.name} drowns in the rounding of {self.dtype}: use float32, "
                    f"or a size of {SMALLEST_HALF_PRECISION_SIZE} or more"
                )


def methods_of(measured: Iterable[Measurement]) -> tuple[tuple[str, int], ...]:
    """Current method numbers of the pruners in measurements, without those at their first method."""
    pruners = sorted({each.pruner for each in measured} - {None})
    return tuple((name, PRUNERS[name].method) for name in pruners if PRUNERS[name].method > 1)


def measurements(perturbations: Iterable[Perturbation], seeds: Iterable[int] = (0,)) -> tuple[Measurement, ...]:
    """Every perturbation with every seed, kinds without noise once; it stops just past MOST, which is refused."""
    every = ((asked, seed) for asked in perturbations for seed in (tuple(seeds) if asked.noise else (0,)))
    return tuple(unique(Measurement(perturbation=asked, seed=seed) for asked, seed in islice(every, MOST + 1)))


def identified(measured: Iterable[Measurement], others: Mapping[str, str]) -> tuple[Measurement, ...]:
    """The same measurements with each checkpoint named by the hash of its files; `others` maps typed text to hash."""
    return tuple(each.replace(perturbation=each.perturbation.sourced(others.__getitem__)) for each in measured)


def stands_for(kind: Perturbation) -> str | None:
    """The field, `linear` or `part`, that says `each`; None if neither does."""
    return next((name for name in ("linear", "part") if getattr(kind, name, "").rpartition(":")[2] == EACH), None)


def expanded(measured: Iterable[Measurement], linears: Iterable[str], heads: int = 0) -> tuple[Measurement, ...]:
    """Replace `each` linear by every one of the names, and `each` head by every number."""
    names = {"linear": tuple(linears), "part": [f"head:{head}" for head in range(heads)]}

    def alone(kind):
        field = stands_for(kind)
        return (kind.replace(**{field: name}) for name in names[field]) if field else (kind,)

    return tuple(unique(one.replace(perturbation=kind) for one in measured for kind in alone(one.perturbation)))
