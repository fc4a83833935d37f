"""Allocations as `allocate` answers: every base, variation and target of the requests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.replay.probe.asked import ASKED, options
from tests.replay.probe.product import REFUSED, ask

ASKED_HERE = ASKED["allocation"]
FIELDS = ("request", "base", "sparsity", "budget", "bound", "bounds", "judge", "estimate")


def figures(_: Path) -> Iterator[tuple[str, Any]]:
    """Of every committed profile."""
    for key in ASKED["profiles"]:
        yield from spread(key)


def spread(key: str, name: str = "") -> Iterator[tuple[str, Any]]:
    """Of a profile by its key, whose figures are named by it or by another name."""
    layers = ask("show", key)["layers"]
    asked = ASKED_HERE if key == ASKED_HERE["whole"] else ASKED_HERE["other"]
    for base, own in ASKED_HERE["bases"].items():
        own = own | {"sparsity": _line(layers)} if own["base"] == "manual" else own
        for variation in asked["variations"]:
            more = ASKED_HERE["variations"][variation]
            for target in asked["targets"]:
                told = ask("allocate", "--profile", key, "--target", str(target), *options(own | more))
                yield from _told(f"{name or key}/{base}/{variation}/{target}", told)


def _line(layers: int) -> str:
    return ",".join(f"{each:.6f}" for each in np.linspace(*ASKED_HERE["line"], layers))


def _told(name: str, told: dict[str, Any] | None) -> Iterator[tuple[str, Any]]:
    if told is None:
        yield name, REFUSED
        return
    for field in FIELDS:
        yield f"{name}/{field}", told[field]
