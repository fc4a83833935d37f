"""Work of a measurement, unit by unit, and its division into shares."""

from core.base import Spec
from core.methods import Gaussian
from core.models import machine
from core.requests import (
    OUTSIDE_WINDOWS,
    Measurement,
    ModelShape,
    ProfileSpec,
    Share,
    Sketching,
    cut,
    tensor_sketching,
    workload,
)

ROUNDING = {"float32": 2.0**-24, "bfloat16": 2.0**-9, "float16": 2.0**-12}


Sequences = dict[Measurement | Sketching, list[int]]  # those of the text, by the measurement that they belong to


def share_of_units(profile: ProfileSpec, shape: ModelShape, share: Share | None) -> tuple[set[Spec], Sequences]:
    """Units that a share measures whole, and sequences of each measurement; all of them without a share.

    Pass 1 belongs to every share, with the unit that it alone measures. Sequences are dealt out in groups as large
    as on a machine with memory enough, so that the parts are those of an undivided run.
    """
    every, length = list(range(profile.text.sequences)), profile.text.length
    if share is None:
        beside = {*profile.units}.difference(map(profile.unit, profile.parted))
        return beside, dict.fromkeys(profile.parted, every)
    size = machine.group_size(shape, profile.text, profile.model.dtype, None)
    pieces = [(unit, [], took) for unit, took in unit_costs(profile, shape).items()]
    for group in (every[first : first + size] for first in range(0, len(every), size)):
        pieces += [(each, group, workload.measurement(shape, each, len(group) * length)) for each in profile.parted]
    units, sequences = {profile.activation}, {}
    for part, (what, group, _) in zip(cut([took for *_, took in pieces], share.of), pieces, strict=True):
        if part == share.part and group:
            sequences.setdefault(what, []).extend(group)
        elif part == share.part:
            units.add(what)
    return units, sequences


def unit_costs(profile: ProfileSpec, shape: ModelShape) -> dict[Spec, float]:
    """Work of every unit beside the clean run and the perturbed ones."""
    cost_of = {
        profile.weights: shape.look(0.25),
        profile.scores: shape.look(),
        profile.removed: shape.look(1),
        profile.floor: workload.measurement(shape, rounding(profile), profile.text.length),
    }
    if profile.outside:
        windows = min(profile.text.sequences, OUTSIDE_WINDOWS)
        cost_of[profile.outside_sketch] = workload.sketch(shape, profile.outside, windows * profile.text.length)
    for other in profile.others.values():
        tokens = profile.text.token_count
        cost_of |= {profile.cumulative(other): 2.0 * tokens, profile.difference(other): 0.0}
        cost_of[profile.tensor_sketch(other)] = workload.sketch(shape, tensor_sketching(profile.text.sequences), tokens)
    return {unit: took for unit, took in cost_of.items() if unit in profile.units}


def rounding(profile: ProfileSpec) -> Measurement:
    """Noise of the size of a rounding error, whose drift is the noise floor."""
    return Measurement(perturbation=Gaussian(size=ROUNDING[profile.model.dtype]))
