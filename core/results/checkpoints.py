"""Another checkpoint against a model: layers that do harm, weights that stand out, the layer at which runs part."""

from functools import cached_property

import numpy as np

from core.base import Flags, UserError, either, frozen
from core.plan import unreadable
from core.store import Array, Cumulative, Difference, Perturbed, Profile

STANDS_OUT = 6.0  # spreads from the median layer: layers that are quantised alike stay below
LEAST_SPREADS = 0.05, 0.001  # of an error as a share of the median one, and of a scale: some spread is natural
ROUNDING = 1e-5  # less is the error of a tensor that is stored another way, as small norms plus 1 in float32
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
        return np.maximum(*map(_spreads, (_of_median(across), off), LEAST_SPREADS))

    @property
    def odd(self) -> Flags:
        """(layers,) whether a tensor stands out."""
        return self.oddity.max(1) > STANDS_OUT

    @cached_property
    def ranking(self) -> list[int]:
        """Layers, the most suspect first: those whose weights stand out, then all others; each group by harm."""
        return sorted(range(len(self.harm)), key=lambda layer: (not self.odd[layer], -self.harm[layer], layer))

    def tensor(self, layer: int) -> int:
        """The tensor of a layer that stands out most; where none does, the one with the largest error."""
        by = self.oddity[layer] if self.odd[layer] else self.weights.error[layer]
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
    return Compared(profile.perturbations[name].short, tensors, outside, single, beside.cumulative, beside.difference)


def _of_median(values: Array) -> Array:
    """Values as multiples of the median of their column; infinite where that is zero and the value is not."""
    middle = np.median(values, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(values == middle, 1.0, values / middle)


def _spreads(values: Array, least: float) -> Array:
    """Distance of each value above the median of its column, in spreads: scaled median deviations."""
    above = values - np.median(values, axis=0)
    return above / np.maximum(1.4826 * np.median(np.abs(above), axis=0), least)
