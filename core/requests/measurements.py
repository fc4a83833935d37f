"""One measurement, one sketch, and the request for many of them of a model on a text."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Literal

from pydantic import Field

from core.base import Spec, model_name, optional_field, text_name, unique
from core.methods import PRUNERS, QUANT_FORMATS, SKETCHED, SKETCHED_KQUANTS, Perturbation
from core.requests.inputs import OfModel, OfWindows, WindowRequest

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
