"""Committed studies: what every point cost, and its changes against its uniform twin and its base."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.replay.probe.asked import ASKED
from tests.replay.probe.plain import plain, point
from tests.replay.probe.product import study, study_json

CHANGES = ("setting", "against_uniform", "against_base", "over_seeds", "over_shuffles")


def figures(_: Path) -> Iterator[tuple[str, Any]]:
    """Every point by its place in its study."""
    for key in ASKED["studies"]:
        found = study(key)
        yield from told(key, study_json(found)["points"])
        for index, each in enumerate(found.singles):
            yield f"{key}/{index}/planned", plain(each.planned)
            yield f"{key}/{index}/zeros", plain(each.result.evaluated.zeros)


def told(name: str, points: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    """What `study --json` answers of its points."""
    for index, each in enumerate(points):
        for what, value in point(each).items():
            yield f"{name}/{index}/{what}", plain(value)
        for what in CHANGES:
            if what in each:
                yield f"{name}/{index}/{what}", plain(each[what])
