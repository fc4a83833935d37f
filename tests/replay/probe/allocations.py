"""Allocations as `allocate` answers: every base, variation and target of the requests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from core.ask.allocations import AllocationRequest, Correction
from core.ask.grammar import OF_ALLOCATION, OF_CORRECTION
from core.base.errors import UserError
from core.base.spec import checked
from core.cli.allocating import allocated_json
from core.cli.output import plain
from core.kinds import Manual
from core.plan.spread import allocate
from tests.replay.probe.asked import ASKED
from tests.replay.probe.product import REFUSED, ask, profile

ASKED_HERE = ASKED["allocation"]
FIELDS = ("request", "base", "sparsity", "budget", "bound", "bounds", "judge", "estimate")


def figures(_: Path) -> Iterator[tuple[str, Any]]:
    """Of every committed profile."""
    for key in ASKED["profiles"]:
        yield from spread(key)


def spread(key: str, name: str = "") -> Iterator[tuple[str, Any]]:
    """Of a profile by its key, whose figures are named by it or by another name."""
    asked = ASKED_HERE if key == ASKED_HERE["whole"] else ASKED_HERE["other"]
    for base, own in ASKED_HERE["bases"].items():
        for variation in asked["variations"]:
            more = dict(ASKED_HERE["variations"][variation])
            judge = more.pop("judge", "drift")
            for target in asked["targets"]:
                told = _by_hand(key, more, target, judge) if base == "manual" else _said(key, own | more, target, judge)
                yield from _told(f"{name or key}/{base}/{variation}/{target}", told)


def _said(key: str, given: dict[str, Any], target: float, judge: str) -> dict[str, Any] | None:
    base, *words = (f"{name}={value}" for name, value in given.items())
    words = " ".join([base.removeprefix("base="), *words])
    return ask("allocate", "--profile", key, "--allocation", f"{words}:{target}", "--judge", judge)


def _by_hand(key: str, given: dict[str, Any], target: float, judge: str) -> dict[str, Any] | None:
    """Numbers along a line, shifted to the target: what no line asks for."""
    there = profile(key)
    whole = {name: given[name] for name in OF_ALLOCATION if name in given}
    fix = {name: given[name] for name in OF_CORRECTION if name in given}
    line = tuple(round(float(each), 6) for each in np.linspace(*ASKED_HERE["line"], there.layers))
    try:
        request = checked(
            AllocationRequest,
            base=Manual(sparsity=line),
            target=target,
            correction=checked(Correction, **fix),
            **whole,
        )
        return plain(allocated_json(allocate(request, there), there, judge, None))
    except UserError:
        return None


def _told(name: str, told: dict[str, Any] | None) -> Iterator[tuple[str, Any]]:
    if told is None:
        yield name, REFUSED
        return
    for field in FIELDS:
        yield f"{name}/{field}", told[field]
