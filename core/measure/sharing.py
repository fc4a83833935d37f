"""What one process measures of a profile: all of it, or a share, which is the same on every machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from core.ask.measurements import Measurement, ProfileSpec
from core.ask.shares import Share, cut
from core.base.spec import Spec
from core.models import work
from core.models.outline import Outline

Piece = tuple[Spec, list[int], float]  # a unit, or a measurement with some sequences; and its work, as FLOP


@dataclass(frozen=True)
class Mine:
    """Units that are measured whole, and the sequences of each measurement."""

    units: frozenset[Spec]
    sequences: dict[Measurement, list[int]]


def mine(profile: ProfileSpec, shape: Outline, share: Share | None) -> Mine:
    """What a share holds; everything where none is named.

    Pass 1 belongs to every share, and so does what it alone tells. Sequences are dealt out in groups as large as a
    machine takes that has memory enough, so that the parts are those of an undivided run.
    """
    every = list(range(profile.text.sequences))
    if share is None:
        perturbed = {profile.unit(each) for each in profile.measurements}
        return Mine(frozenset(profile.units) - perturbed, dict.fromkeys(profile.measurements, every))
    pieces = [*_units(profile, shape), *_parts(profile, shape)]
    falls = zip(cut([took for *_, took in pieces], share.of), pieces, strict=True)
    own = [(what, group) for part, (what, group, _) in falls if part == share.part]
    sequences: dict[Measurement, list[int]] = {}
    for what, group in own:
        if group:
            sequences.setdefault(what, []).extend(group)
    return Mine(frozenset({profile.activation, *(what for what, group in own if not group)}), sequences)


def _units(profile: ProfileSpec, shape: Outline) -> Iterator[Piece]:
    """Units beside the perturbed ones."""
    took = {
        profile.weights: work.spectra(shape),
        profile.scores: work.looks(shape),
        profile.removed: work.removing(shape),
        **{
            profile.cumulative(other): 2 * work.forward(shape, profile.text.sequences * profile.text.length)
            for other in profile.others.values()
        },
        **{profile.difference(other): 0.0 for other in profile.others.values()},
        profile.floor: work.measurement(shape, profile.measurements[0], profile.text.length),
    }
    return ((unit, [], each) for unit, each in took.items() if unit in profile.units)


def _parts(profile: ProfileSpec, shape: Outline) -> Iterator[Piece]:
    """Every measurement of one group after another."""
    count, length = profile.text.sequences, profile.text.length
    size = work.group_size(shape, count, length, profile.model.dtype, None)
    for first in range(0, count, size):
        group = list(range(first, min(first + size, count)))
        for each in profile.measurements:
            yield each, group, work.measurement(shape, each, len(group) * length)
