"""What is worked out from a profile beyond what `show` tells: joint verdicts, ways through the network, dilution."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.replay.probe.asked import ASKED
from tests.replay.probe.plain import fingerprint, plain
from tests.replay.probe.product import (
    REFUSED,
    Profile,
    UserError,
    gains_of,
    lessons,
    profile,
    propagation,
    responses,
    verdicts_of,
)


def figures(_: Path) -> Iterator[tuple[str, Any]]:
    """Of every committed profile."""
    for key in ASKED["profiles"]:
        found = profile(key)
        for name in found.by_name:
            for what, value in _of_perturbation(found, name):
                yield f"{key}/{name}/{what}", plain(value)
        try:
            yield f"{key}/crossing", plain(_crossing(found))
        except UserError:  # nothing but real damage was measured
            yield f"{key}/crossing", REFUSED
        yield from _responses(key, found)


def _of_perturbation(found: Profile, name: str) -> Iterator[tuple[str, Any]]:
    seeds = found.seeds(name)
    gains, curves = gains_of(seeds), propagation.curves(seeds)
    split = propagation.dilution(seeds, found.activation)
    yield "firm", [each or "undecided" for each in gains.verdicts]
    yield "quartiles", gains.quartiles
    yield "absorption", gains.absorption
    yield "curves", {end: fingerprint(getattr(curves, end)) for end in ("value", "low", "high")}
    yield "final", curves.value[:, -1]
    yield "relative", fingerprint(propagation.relative(seeds))
    yield "step-ratio", fingerprint(propagation.step_ratio(seeds))
    yield "below-floor", propagation.below_floor(seeds, found.floor.drift).sum(1)
    yield "dilution", {part: getattr(split, part).mean(1) for part in ("absolute", "growth", "frozen")}
    yield "dilution-firm", [each or "undecided" for each in verdicts_of(split.absolute)]


def _crossing(found: Profile) -> Any:
    """Where noise turns from amplified to absorbed, (layers,)."""
    sizes = lessons.noise(found)
    logs = np.stack([np.log(gains_of(found.seeds(name)).value) for name in sizes.values()])
    return propagation.crossing(np.array(list(sizes)), logs)


def _responses(key: str, found: Profile) -> Iterator[tuple[str, Any]]:
    for harm in ("drift", "kl", "nll"):
        try:
            sparsities, rows = responses.measured(found, "wanda", harm)
        except UserError:  # a quick profile has one sparsity
            continue
        hull = responses.of_profile(found, "wanda", harm)
        yield f"{key}/response-{harm}", {"sparsity": plain(sparsities), "harm": plain(rows)}
        yield f"{key}/response-{harm}/hull", {"sparsity": plain(hull.sparsity), "harm": fingerprint(hull.harm)}
