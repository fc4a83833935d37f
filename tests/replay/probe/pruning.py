"""A tiny model pruned and evaluated here and now: single settings, and a study with seeds, controls and a task."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.replay.probe import live, studies
from tests.replay.probe.asked import ASKED, options
from tests.replay.probe.plain import point

POINTS = ("evaluation", "dense", "uniform")
CHANGES = ("against_uniform", "against_base")


def figures(scratch: Path) -> Iterator[tuple[str, Any]]:
    """Keys, planned and counted zeros, what it cost."""
    for name in ASKED["prune"]:
        answer = pruned(scratch, name)
        for field in ("key", "planned", "achieved", *CHANGES):
            yield f"{name}/{field}", answer[field]
        for field in POINTS:
            yield f"{name}/{field}", point(answer[field])
    answer = live.study(scratch)
    yield "study/key", answer["key"]
    yield from studies.told("study", answer["points"])


def pruned(scratch: Path, name: str, **more: str) -> dict[str, Any]:
    """What `prune` answers to a setting among the requests."""
    asked = dict(ASKED["prune"][name])
    where = {"model": live.model(scratch, asked.pop("family")), "calibration": live.TEXT, "evaluate": live.TEXT}
    if "profile" in asked:
        asked["profile"] = live.measured(scratch, asked["profile"])
    return live.told("prune", *options(where | ASKED["pruning"] | asked | live.CPU | more))
