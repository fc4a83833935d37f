"""The best setting of a tiny model, searched here and now: the answer, all candidates and what was judged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.replay.probe import live
from tests.replay.probe.asked import ASKED
from tests.replay.probe.plain import only
from tests.replay.probe.product import grammar

CHANGES = ("against_uniform", "against_runner_up", "against_dense", "over_seeds")


def figures(scratch: Path) -> Iterator[tuple[str, Any]]:
    """Every search of the requests."""
    for name in ASKED["best"]:
        answer = live.best(scratch, name)
        for field in ("key", "target", "profile", *CHANGES):
            yield f"{name}/{field}", answer[field]
        yield f"{name}/answer", _asked(answer["answer"])
        yield f"{name}/dense", answer["dense"]["perplexity"]
        for role in ("winner", "runner_up", "uniform"):
            yield f"{name}/{role}", answer[role] and only(answer[role], ("setting", "perplexity"))
        for index, each in enumerate(answer["candidates"]):
            yield f"{name}/{index}/allocation", _asked(each["allocation"])
            yield f"{name}/{index}/cost", only(each, ("nll", "perplexity", "against_uniform"))
        for index, each in enumerate(answer["trials"]):
            yield f"{name}/trial-{index}", only(each, ("target", "loss", "uniform"))
            yield f"{name}/trial-{index}/allocation", _asked(f"{each['allocation']}:{each['target']}")


def _asked(line: str) -> dict[str, Any]:
    """An allocation by its parameters, however it is grammar."""
    return grammar.read_allocation(line).model_dump(mode="json")
