"""Another checkpoint against a model: layers that do harm, weights that stand out, the layer at which runs part."""

from dataclasses import field
from functools import cached_property

import numpy as np

from core.base import Flags, UserError, either, frozen
from core.methods import Amounts, stored_as
from core.plan import unreadable
from core.store import Array, Cumulative, Difference, Perturbed, Profile, TensorSketch

STANDS_OUT = 6.0  # spreads from the median layer: layers that are quantised alike stay below
LEAST_SPREADS = 0.05, 0.001  # of an error as a share of the median one, and of a scale: some spread is natural
FEWER = 0.9  # bits below the median of the same tensor in all layers
MOST = 4  # times the usual error of a format: no rounding has more
ROUNDING = 1e-5  # less is the error of a tensor that is stored another way, as small norms plus 1 in float32
TOLD = "settings", "formats", "stored_names"  # by a provenance, of each checkpoint
NONE = "no other checkpoint was measured: name one to compare with, or measure checkpoint:PATH"


@frozen
class Compared:
    """Another checkpoint beside a model."""

    called: str  # the other, in words
    tensors: tuple[str, ...]  # of a layer
    outside: tuple[str, ...]  # tensors beside the layers
    single: Perturbed  # layers taken from it one at a time
    whole: Cumulative
    weights: Difference
    sketch: TensorSketch | None = None  # of comparisons since there is one, of models that have a gradient
    settings: dict[str, str] = field(default_factory=dict)  # that decide what a model computes, and differ
    formats: dict[str, str] = field(default_factory=dict)  # of the other's files, by full names of modules
    stored_names: dict[str, str] = field(default_factory=dict)  # in its files, where they are others
    stack: str = ""  # name of the list of layers
    exact: dict[str, Array] = field(default_factory=dict)  # (layers,) KL of each linear alone, nats, if measured
    joined: tuple[list[str], ...] = ()  # linears of a layer that engines run as one matrix
    sizes: dict[str, Array] = field(default_factory=dict)  # (layers,) weights of each linear of a layer

    def bits_of(self, module: str) -> float:
        """Bits of a weight in the other's files, scales included; NaN where they do not tell."""
        return (stored_as(self.formats.get(module, "")) or (np.nan,))[0]

    @cached_property
    def bits(self) -> Array:
        """(layers, tensors) the same."""
        names = [name.removesuffix(".weight") for name in self.tensors]
        layers = range(len(self.weights.error))
        return np.array([[self.bits_of(f"{self.stack}.{layer}.{name}") for name in names] for layer in layers])

    @cached_property
    def harm(self) -> Array:
        """(layers,) KL of the output with one layer taken from the other, nats; 0 where it is no more than rounding."""
        harm = self.single.kl.mean(1)
        return np.where(unreadable(harm), 0.0, harm)

    @cached_property
    def drift(self) -> Array:
        """(layers,) drift of the whole run after each layer, geometric mean; 0 where the two are equal."""
        return np.exp(self.whole.log_drift.mean(1))

    @cached_property
    def usual(self) -> Array:
        """(tensors,) median error over the layers."""
        return np.median(self.weights.error, axis=0)

    @cached_property
    def oddity(self) -> Array:
        """(layers, tensors) by how many spreads a tensor is worse than the same one of the median layer.

        The larger of two: of its error across the weights, and of how far its scale is from 1. A factor of 1.05 is lost
        in the error of 4-bit quantisation, but not in its scale.
        """
        off = np.abs(self.weights.scale - 1)
        across = np.sqrt(np.clip(self.weights.error**2 - off**2, 0, None))
        across[across < ROUNDING] = 0
        across /= np.where(np.isnan(self.bits), 1, usual_error(self.bits))
        return np.maximum(*map(_spreads, (_of_median(across), off), LEAST_SPREADS))

    @cached_property
    def odd_tensors(self) -> Flags:
        """(layers, tensors) True if one stands out, errs more than its format does, or has fewer bits than most."""
        fewer = self.bits < np.median(self.bits, axis=0) - FEWER
        worse = self.weights.error > MOST * usual_error(self.bits)
        return (self.oddity > STANDS_OUT) | worse | fewer

    @property
    def odd(self) -> Flags:
        """(layers,) whether a tensor stands out."""
        return self.odd_tensors.max(1)

    @cached_property
    def ranking(self) -> list[int]:
        """Layers, the most suspect first: those whose weights stand out, then all others; each group by harm."""
        return sorted(range(len(self.harm)), key=lambda layer: (not self.odd[layer], -self.harm[layer], layer))

    def tensor(self, layer: int) -> int:
        """The tensor of a layer that stands out most; where none does, the one with the largest error."""
        by = (self.oddity + 1) * self.odd_tensors if self.odd[layer] else self.weights.error
        by = by[layer]
        return max(range(len(by)), key=lambda each: (by[each], self.weights.error[layer, each]))


def compared(profile: Profile, name: str | None = None) -> Compared:
    """The checkpoint that a perturbation takes layers from; without a name, the first that a profile holds.

    Raises:
        UserError: it holds none, or the perturbation takes no layers from one.
    """
    if not profile.others:
        raise UserError(NONE)
    name = name or next(iter(profile.others))
    if name not in profile.others:
        labels = either(profile.perturbations[each].label for each in profile.others)
        raise UserError(f"choose {labels} as the perturbation to compare checkpoints")
    beside, provenance = profile.others[name], profile.provenance
    tensors, outside = (tuple(provenance.get(each, ())) for each in ("tensors", "outside"))
    [single] = profile.seeds(name)
    sketch, weights = beside.sketch, profile.weights
    sketched = None if sketch is None or np.isnan(sketch.change).any() else sketch
    sizes = {} if weights is None else dict(zip(provenance["linears"], weights.parameters.T, strict=False))
    fields = {each: provenance.get(each, {}).get(profile.spec.others[name], {}) for each in TOLD}
    fields["exact"] = {
        each.perturbation.linear: perturbed.kl.mean(1)
        for each, perturbed in profile.perturbed.items()
        if each.perturbation.kind == "checkpoint_linear" and each.perturbation.source == profile.spec.others[name]
    }
    fields |= {"sizes": sizes, "stack": provenance.get("stack", ""), "joined": tuple(provenance.get("joined", ()))}
    called, measured = profile.perturbations[name].short, (beside.cumulative, beside.difference, sketched)
    return Compared(called, tensors, outside, single, *measured, **fields)


def usual_error(bits: Amounts) -> Amounts:
    """Relative error of weights that are rounded to so many bits, scales included: 9 % of Q4_0."""
    return np.maximum(2.0 ** (1 - bits), ROUNDING)


def _of_median(values: Array) -> Array:
    """Values as multiples of the median of their column; infinite where that is zero and the value is not."""
    middle = np.median(values, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(values == middle, 1.0, values / middle)


def _spreads(values: Array, least: float) -> Array:
    """Distance of each value above the median of its column, in spreads: scaled median deviations."""
    above = values - np.median(values, axis=0)
    return above / np.maximum(1.4826 * np.median(np.abs(above), axis=0), least)
