"""Settings of a study against each other over their seeds: every pair that may be compared."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

from tests.replay.probe import live
from tests.replay.probe.asked import ASKED
from tests.replay.probe.plain import plain
from tests.replay.probe.product import Evaluations, study, verdicts


def figures(scratch: Path) -> Iterator[tuple[str, Any]]:
    """Of every committed study, and of one that was just measured, with tasks."""
    for key in ASKED["studies"]:
        yield from _compared(key, study(key))
    yield from _compared("live", study(live.study(scratch)["key"]))


def _compared(name: str, found: Evaluations) -> Iterator[tuple[str, Any]]:
    for index, line in enumerate(found.settings):
        yield f"{name}/{index}/setting", line.setting.model_dump(mode="json")
        yield f"{name}/{index}/seeds", list(line.seeds)
        yield f"{name}/{index}/perplexity", line.perplexity
        yield f"{name}/{index}/loss", line.loss
        yield f"{name}/{index}/accuracy", {task: plain(line.accuracy(task)) for task in found.tasks}
        for what, change in (("uniform", line.against_uniform), ("base", line.against_base)):
            yield f"{name}/{index}/against-{what}", change and _change(change)
    for part in found.slices:
        for one, other in combinations(found.within(part), 2):
            where = f"{name}/{found.settings.index(other)}-against-{found.settings.index(one)}"
            yield where, _change(other.against(one))
            yield f"{where}/accuracy", plain(other.accuracy_against(one, found.shared(part)))


def _change(found: Any) -> dict[str, Any]:
    """The change over windows and over seeds, each with its verdict."""
    told = {"windows": found.windows, "seeds": found.seeds}
    return {what: [each.value, each.low, each.high, each.n, verdicts.verdict(each)] for what, each in told.items()}
