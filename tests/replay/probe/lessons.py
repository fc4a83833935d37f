"""What the tour computes from the committed profiles and studies: its numbers, without its sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.replay.probe.asked import ASKED
from tests.replay.probe.plain import plain
from tests.replay.probe.product import (
    REFUSED,
    Profile,
    Store,
    UserError,
    comparison,
    evaluations_of,
    lessons,
    profile,
    propagation,
)

Told = Iterator[tuple[str, Any]]


def figures(_: Path) -> Told:
    """Every chapter for every committed profile; `refused` where a profile lacks what the chapter looks at."""
    for key in ASKED["profiles"]:
        found = profile(key)
        for name, chapter in CHAPTERS.items():
            try:
                told = list(chapter(found))
            except UserError:
                told = [("", REFUSED)]
            for what, value in told:
                yield f"{key}/{name}/{what}".rstrip("/"), plain(value)


def _perturb(found: Profile) -> Told:
    hit = lessons.perturb(found)
    yield "sizes", [hit.sizes.values, hit.sizes.measured]
    yield "flips", hit.flips


def _drift(found: Profile) -> Told:
    spread = lessons.drift(found)
    yield "sizes", spread.sizes.values
    yield "drift", spread.drift
    seeds = found.seeds(lessons.DRIVER)
    final, harm = propagation.curves(seeds).value[:, -1], sum(each.kl.mean(1) for each in seeds) / len(seeds)
    yield "rank-correlation", comparison.spearman(final, harm)
    yield "misjudged", lessons.misjudged(final, harm)


def _amplify(found: Profile) -> Told:
    sink = lessons.amplify(found)
    yield "size", sink.size
    yield "without", sink.without.value
    yield "including", sink.including.value
    yield "turned", sink.flipped
    yield "answer", [sink.change, sink.answer]


def _absorb(found: Profile) -> Told:
    growth = lessons.absorb(found)
    for field in ("stream", "damage", "gain", "grown", "around"):
        yield field, getattr(growth, field)
    pair = lessons.twins(Store(), found)
    yield "twins", pair and [each.key for each in pair]


def _allocate(found: Profile) -> Told:
    push = lessons.correction(found)
    yield "setting", push.request.model_dump(mode="json")
    for field in ("strengths", "base", "rows", "harm"):
        yield field, getattr(push, field)


def _prune(found: Profile) -> Told:
    alone = lessons.prune(found)
    yield "sparsities", alone.sparsities.values
    yield "harm", alone.harm
    yield "worst", [alone.worst, alone.at]


def _measured(found: Profile) -> Told:
    whole = lessons.measured(evaluations_of(found))
    if whole is None:
        return
    keys = [each.key for each in whole.evaluations.entries]
    for index, (each, estimate) in enumerate(zip(whole.settings, lessons.estimated(whole, found), strict=True)):
        change = each.against_uniform and each.against_uniform.quoted
        told = change and [change.value, change.low, change.high, change.n]
        yield f"{index}/setting", each.setting.model_dump(mode="json")
        yield f"{index}/cost", [each.setting.allocation.target, each.perplexity, estimate, told]
        yield f"{index}/studies", keys


CHAPTERS: dict[str, Callable[[Profile], Told]] = {
    "perturb": _perturb,
    "drift": _drift,
    "amplify": _amplify,
    "absorb": _absorb,
    "allocate": _allocate,
    "prune": _prune,
    "measured": _measured,
}
