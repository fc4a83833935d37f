"""Committed profiles as `show` tells them: gains, intervals, verdicts, harms, matrices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.replay.probe.asked import ASKED
from tests.replay.probe.product import ask

OF_PROFILE = ("layers", "sequences", "length")
OF_PERTURBATION = (
    "gains", "interval", "verdict", "mean_ratio", "median", "drift", "drift_first", "final_drift", "kl",
    "nll_increase", "flips", "seeds", "n",
)  # fmt: skip


def figures(_: Path) -> Iterator[tuple[str, Any]]:
    """Every committed profile."""
    for key in ASKED["profiles"]:
        yield from shown(key)


def shown(key: str, name: str = "") -> Iterator[tuple[str, Any]]:
    """A profile by its key, whose figures are named by it or by another name."""
    told = ask("show", key)
    name = name or key
    yield f"{name}/key", told["key"]
    for field in OF_PROFILE:
        yield f"{name}/{field}", told[field]
    for each in told["perturbations"]:
        for field in OF_PERTURBATION:
            yield f"{name}/{each['name']}/{field}", each[field]
        yield f"{name}/{each['name']}/matrix", ask("show", key, "--matrix", each["name"])["matrix"]
