"""Profiles and studies of which some shares are done: what is there is kept, and may travel, until the whole is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from core.ask.measurements import ProfileSpec
from core.ask.shares import Part, Unfinished
from core.ask.studies import StudySpec
from core.base.spec import Spec
from core.store import parts, results
from core.store.cache import Entry, Store
from core.store.files import discard


def saved(store: Store, whole: ProfileSpec | StudySpec, told: dict) -> Entry:
    """Save a view over its units; an unfinished one while some are missing."""
    if missing(store, whole):
        return store.entry(store.save(Unfinished(whole=whole), None, told))
    entry = store.entry(store.save(whole, None, told))
    discard(store.root / "unfinished" / Unfinished(whole=whole).key)
    return entry


def missing(store: Store, whole: ProfileSpec | StudySpec) -> list[Spec]:
    """Units that have yet to be measured for this cache."""
    return [unit for unit in whole.units if store.measured(unit) is None]


def there(store: Store, begun: Unfinished) -> list[Path]:
    """The folders of the units that are measured."""
    return [path for path in map(store.measured, begun.units) if path]


def parts_of(store: Store, begun: Unfinished) -> Iterator[tuple[Part, dict, results.Merged]]:
    """Every finished part of a unit that is not whole, with its provenance and numbers."""
    for unit in missing(store, begun.whole):
        if isinstance(unit, parts.Parted):
            for first, told, part in parts.kept(store, unit):
                count = results.len_along(part, results.SPLIT[type(part)])
                yield Part(unit=unit, first=first, count=count), told, part


def keep_part(store: Store, part: Part, found: results.Merged, told: dict) -> None:
    """Add a part to those of its unit, unless any of it is there."""
    if store.measured(part.unit):
        return
    for first, other in parts.finished(store, part.unit).items():
        last = first + results.len_along(other, results.SPLIT[type(other)])
        if first < part.first + part.count and part.first < last:
            return
    parts.save(store, part.unit, part.first, found, told.get("seconds", 0.0), told.get("warnings", ()))
