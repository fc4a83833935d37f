"""Deleting a result with what no other needs, and finishing what killed processes began in a cache."""

from __future__ import annotations

import json
import shutil
from itertools import chain
from pathlib import Path

from core.base.errors import UserError
from core.store import access
from core.store.cache import KIND_OF, KINDS, UNITS, VIEW_KINDS, Entry, Store, packs_of
from core.store.files import discard, patiently
from core.store.hidden import aside, left

DELETED = "deleted"  # in the hidden name of a view whose units are to be deleted next


def delete(store: Store, entry: Entry) -> None:
    """Delete a profile, study or export and the units that no other needs.

    Hiding the entry deletes it. Where the process is killed after that, `sweep` does the rest.

    Raises:
        UserError: the entry is part of the committed demo, or nothing may be deleted here.
        OSError: it cannot be deleted.
    """
    access.may_write()
    if entry.committed:
        raise UserError(f"{entry.key} is part of the committed demo and cannot be deleted")
    hidden = aside(entry.path, DELETED)
    try:
        patiently(lambda: entry.path.rename(hidden))
    except FileNotFoundError:  # somebody else was faster
        return
    _finish(store, hidden, entry)


def _finish(store: Store, hidden: Path, entry: Entry) -> None:
    others = (other for kind in VIEW_KINDS for other in store.entries(kind) if not other.committed)
    kept = {unit.key for other in others for unit in other.spec.units}
    for unit in entry.spec.units:
        if unit.key not in kept:
            discard(store.root / KIND_OF[type(unit)] / unit.key)
    shutil.rmtree(hidden, ignore_errors=True)


def sweep(store: Store) -> None:
    """Clear away what processes that are gone left in a cache: temporary files, half a deletion, parts of whole units.

    Raises:
        OSError: it cannot be written.
    """
    for path in chain.from_iterable(map(left, _folders(store.root))):
        entry = _deleted(path)
        if entry:
            _finish(store, path, entry)
        elif path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    for parts in store.root.glob("parts/[!.]*"):
        wholes = (store.root / kind / parts.name for kind in UNITS)
        if any((whole / "manifest.json").is_file() and not packs_of(whole) for whole in wholes):
            discard(parts)  # what was imported answers nobody: its parts are those of who measures it here


def _folders(root: Path) -> list[Path]:
    """Where hidden files of a cache may lie, the ones first that hold the largest."""
    return [root / "converted", *(path for pattern in ("[!.]*", "parts/*", "jobs/*") for path in root.glob(pattern))]


def _deleted(path: Path) -> Entry | None:
    """The view of a hidden folder whose deletion was begun; None for anything else."""
    if path.parent.name not in VIEW_KINDS or not path.name.rpartition("-")[2].startswith(DELETED):
        return None
    try:
        spec = KINDS[path.parent.name][0].model_validate(json.loads((path / "spec.json").read_bytes()))
    except (OSError, ValueError):  # its units went before it
        return None
    return Entry(path, spec, {})
