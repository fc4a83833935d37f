"""Shared by the chapters: the noise measured, references from a sentence to the picture.

A sentence refers to things in the picture by marks, as in `ends at [0.19](curve-end)`: `layer-7` and all `layers`, the
`foot` that bars stand on, a `curve` with its `curve-start` and `curve-end`, the `gauge` and its `gauge-50`, a
`control-noise` and its `stop-noise-0`.
"""

import re
from collections.abc import Iterable, Mapping
from itertools import permutations

import numpy as np

from core.base import Positions, UserError, frozen
from core.methods import BLOCKS
from core.store import Array, Entry, Profile, Store

REFERENCE = re.compile(r"\[([^\[\]]+)\]\(([^()]+)\)")
LAYERS = "layers"
FOOT = "foot"


@frozen
class Lesson:
    """Measured numbers over the layers at every strength, weakest first, and what each strength shows."""

    notes: tuple[str, ...]
    at: int  # index of the usual strength
    strengths: list[float]
    values: Array  # (strengths, layers, ...)

    @property
    def sentence(self) -> str:
        return self.notes[self.at]


def ref(text: object, *marks: str) -> str:
    """Words that light up these marks when they are pointed at."""
    return f"[{text}]({' '.join(marks)})"


def at_layer(layer: int, text: object = None) -> str:
    """A number that belongs to a layer, by default that of the layer itself."""
    return ref(layer if text is None else text, f"layer-{layer}")


def at_layers(layers: Iterable[int], text: object) -> str:
    """Words that speak of several layers."""
    return ref(text, *(f"layer-{each}" for each in layers))


def plain(sentence: str) -> str:
    """The sentence without its references and without bold words."""
    return REFERENCE.sub(r"\1", sentence).replace("**", "")


SIZE = 0.3  # the noise that most sentences speak of
PRUNED = "residual:wanda:0.7"
TARGET = 0.7
DRIVER = "gaussian:0.3"


def noise(profile: Profile, positions: Positions = "after_first") -> dict[float, str]:
    """Size -> name of the noise measured at these positions, ascending.

    Raises:
        UserError: none was.
    """
    measured = profile.noise(positions)
    if not measured:
        where = {"after_first": ("that spares the first token", ""), "all": ("on all tokens", "@all")}[positions]
        raise UserError(f"this profile holds no Gaussian noise {where[0]}: measure gaussian:0.3{where[1]} on its text")
    return measured


def default_index(sizes: Iterable[float]) -> int:
    """Index of the measured size nearest to the usual one."""
    return int(np.abs(np.log([*sizes]) - np.log(SIZE)).argmin())


def default_noise(names: Mapping[float, str]) -> str:
    """Name of the noise of the measured size nearest to the usual one."""
    return list(names.values())[default_index(names)]


def check_several(profile: Profile) -> None:
    """Refuse a model whose layers cannot be compared.

    Raises:
        UserError: it has only one.
    """
    if profile.layers < 2:
        raise UserError("this chapter compares layers, and this model has only one: choose a model that has more")


# --- other profiles beside the one in view ---------------------------------------------------------------------------


def with_parts(store: Store, profile: Profile) -> Entry | None:
    """This profile, or else another one of its model, in which attention and MLP were left out; None without any."""
    wanted = {f"skip:{part}" for part in BLOCKS}
    alike = (each for each in store.entries() if each.spec.model == profile.spec.model)
    return next((each for each in (profile.entry, *alike) if wanted <= set(each.spec.names)), None)


def sketched_twin(store: Store, profile: Profile) -> Entry | None:
    """A sketch of the untrained twin of a profile's model, on whatever text; None without any."""
    mine = profile.spec.model
    for each in store.entries("profile") if mine.initialised is None else ():
        other = each.spec.model
        if each.spec.sketch and other.content == mine.content and other.initialised is not None:
            return each
    return None


def twins(store: Store, profile: Profile) -> tuple[Entry, Entry] | None:
    """This model and its randomly initialised twin on one text, both with noise: the profile itself, else the newest.

    None where there is no such pair.
    """

    def noisy(spec):
        perturbations = (each.perturbation for each in spec.measurements)
        return any(each.isotropic and each.positions == "after_first" for each in perturbations)

    alike = [
        each
        for each in store.entries("profile")
        if each.spec.model.content == profile.spec.model.content and noisy(each.spec)
    ]
    pairs = (
        (one, other)
        for one, other in permutations(alike, 2)
        if one.spec.model.initialised is None and other.spec.model.initialised is not None
        if one.spec.text == other.spec.text
    )
    return max(pairs, key=lambda pair: profile.key in {each.key for each in pair}, default=None)
