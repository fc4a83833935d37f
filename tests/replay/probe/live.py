"""A tiny model of a fixed seed, measured here and now, and allocations that look at that."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tests import tiny
from tests.replay.probe import allocations, profiles
from tests.replay.probe.asked import ASKED, HERE, options
from tests.replay.probe.product import ask

TEXT = f"file:{HERE / 'text.jsonl'}"
CPU = {"device": "cpu"}


def figures(scratch: Path) -> Iterator[tuple[str, Any]]:
    """The profiles, and what is allocated by the first."""
    for name in ASKED["live"]:
        yield from profiles.shown(measured(scratch, name), name)
    yield from allocations.spread(measured(scratch, "llama"), "llama/allocation")


@cache
def model(scratch: Path, family: str) -> str:
    """A folder with the model."""
    return str(tiny.save_tiny(scratch / family, family))


@cache
def measured(scratch: Path, name: str) -> str:
    """The key of a profile, by what it is called among the requests."""
    asked = dict(ASKED["live"][name])
    words = [word for each in asked.pop("perturb") for word in ("--perturb", each)]
    where = {"model": model(scratch, asked.pop("family")), "text": TEXT}
    return told("measure", *words, *options(where | asked | CPU))["key"]


@cache
def study(scratch: Path) -> dict[str, Any]:
    """What `study` answers of the study file among the requests."""
    model(scratch, "llama")
    shutil.copy(HERE / "text.jsonl", scratch)
    shutil.copytree(HERE / "tasks", scratch / "tasks")
    text = (HERE / "study.toml").read_text(encoding="utf-8").replace("PROFILE", measured(scratch, "llama"))
    (scratch / "study.toml").write_text(text, encoding="utf-8")
    return told("study", str(scratch / "study.toml"), *options(CPU))


@cache
def best(scratch: Path, name: str) -> dict[str, Any]:
    """What `best` answers to a search among the requests."""
    where = {"model": model(scratch, "llama"), "text": TEXT}
    return told("best", *options(where | ASKED["searching"] | ASKED["best"][name] | CPU))


def told(*words: str) -> dict[str, Any]:
    """An answer that must not be a refusal."""
    answer = ask(*words)
    if answer is None:
        raise RuntimeError(f"refused: {' '.join(words)}")
    return answer
