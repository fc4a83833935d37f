"""Finished pieces of a unit, kept until it is whole, so that a cancelled run goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from core.ask.measurements import PerturbedSpec
from core.ask.studies import EvaluatedSpec
from core.store import results
from core.store.cache import FORMS, Store
from core.store.files import Corrupt, discard, pretty, verified, write_folder
from core.store.results import decode, encode
from core.store.upgrade import upgraded

Parted = PerturbedSpec | EvaluatedSpec


def folder(store: Store, unit: Parted) -> Path:
    """Where a unit's finished parts lie, each named `first-last` by its sequences or windows."""
    return store.root / "parts" / unit.key


def save(
    store: Store,
    unit: Parted,
    first: int,
    part: results.Merged,
    seconds: float = 0.0,
    warnings: Iterable[str] = (),
    replay: float | None = None,
) -> None:
    """Keep the sequences or windows `first, first + 1, ...` of a unit, how long they took and what was odd.

    Args:
        replay: the largest relative error of a replayed layer that was seen so far.
    """
    last = first + results.len_along(part, results.SPLIT[type(part)]) - 1
    told = {"unit": unit.key, "seconds": seconds, "warnings": list(warnings), "replay_error": replay}
    write_folder(folder(store, unit) / f"{first:04d}-{last:04d}", encode(part) | {"provenance.json": pretty(told)})


def seconds(store: Store, unit: Parted) -> float:
    """How long the measuring of a unit took, over all the runs that had a share in it."""
    return sum(each.get("seconds", 0.0) for each in _told(store, unit))


def warnings(store: Store, unit: Parted) -> list[str]:
    """What had to be helped along while a unit was measured, each once."""
    return list(dict.fromkeys(text for each in _told(store, unit) for text in each.get("warnings", [])))


def replay_error(store: Store, unit: Parted) -> float | None:
    """The largest error of a replayed layer while a unit was measured; None where none was looked at."""
    found = [each.get("replay_error") for each in _told(store, unit)]
    return max((each for each in found if each is not None), default=None)


def _told(store: Store, unit: Parted) -> list[dict]:
    """The provenance of a unit, or of its parts while it is not whole."""
    whole = store.measured(unit)
    try:
        folders = [whole] if whole else _all(store, unit)
        return [json.loads((each / "provenance.json").read_bytes()) for each in folders]
    except FileNotFoundError:
        if store.measured(unit) == whole:
            raise
        return _told(store, unit)  # another process has put its parts together meanwhile


def _all(store: Store, unit: Parted) -> list[Path]:
    """Folders of its finished parts in order, the longest of one start first.

    None where they were dropped meanwhile: the unit is stored whole.
    """
    try:
        return sorted(folder(store, unit).glob("[!.]*-*"), key=_span)
    except FileNotFoundError:
        return []


def _first(path: Path) -> int:
    return int(path.name.partition("-")[0])


def _span(path: Path) -> tuple[int, int]:
    first, last = map(int, path.name.split("-"))
    return first, -last


def drop(store: Store, unit: Parted) -> None:
    """Forget a unit's parts, once it is stored whole."""
    discard(folder(store, unit))


def finished(store: Store, unit: Parted) -> dict[int, results.Merged]:
    """First sequence or window -> part, in order; broken parts are dropped, so that they are measured again.

    Of parts that overlap, as two processes write them that have room for unlike numbers at once, the first is taken.
    """

    def read_one(path: Path) -> results.Merged:
        files = verified(path)
        if json.loads(files.get("provenance.json", b"{}")).get("unit") != unit.key:
            raise Corrupt("it is a part of another unit")
        return decode(upgraded(path, files), FORMS[type(unit)])

    found: dict[int, results.Merged] = {}
    reached = 0
    for path in _all(store, unit):
        part = store.sound(path, read_one) if _first(path) >= reached else None
        if part is not None:
            found[_first(path)] = part
            reached = _first(path) + results.len_along(part, results.SPLIT[type(part)])
    return found


def kept(store: Store, unit: Parted) -> Iterator[tuple[int, dict, results.Merged]]:
    """First sequence or window, provenance and numbers of every finished part, in order."""
    for first, part in finished(store, unit).items():
        last = first + results.len_along(part, results.SPLIT[type(part)]) - 1
        told = (folder(store, unit) / f"{first:04d}-{last:04d}" / "provenance.json").read_bytes()
        yield first, json.loads(told), part


def partial(store: Store, unit: Parted) -> results.Merged | None:
    """A unit as far as it is measured: whole from the cache, else its finished parts, else None."""
    whole = store.load(unit) if store.measured(unit) else None
    parts = [] if whole is not None else list(finished(store, unit).values())
    return results.merged(parts) if parts else whole
