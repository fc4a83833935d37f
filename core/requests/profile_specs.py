"""Stored units of a profile, of its model, its text or both, and the view over them."""

from typing import ClassVar, Literal

from pydantic import Field

from core.base import Fields, Spec, View, optional_field, unique
from core.methods import PRUNERS, Method
from core.requests.inputs import ModelSpec, TextSpec
from core.requests.measurements import Measurement, Sketching, outside_sketching


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


class OutsideSketchSpec(SketchSpec):
    """The same by GGUF types of embeddings and output matrix."""


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
