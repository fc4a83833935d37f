"""Delete a result with units that no other needs, and clean up a cache after killed processes."""

from itertools import chain
from pathlib import Path
from typing import Any

from core.base import UserError, access
from core.store.cache import Entry, Store, read
from core.store.entries import SUFFIX, UNITS, VIEW_KINDS, file_of
from core.store.files import Corrupt, abandoned, discard, remove
from core.store.parts import distillation_folder

DELETED = "deleted"  # in the temporary name of a view whose units are to be deleted next


def delete(store: Store, entry: Entry) -> None:
    """Delete a profile, study or export and the units that no other needs.

    Renaming the entry deletes it. Where the process is killed after that, `sweep` does the rest.

    Raises:
        UserError: the entry is part of the committed demo, or nothing may be deleted here.
        OSError: it cannot be deleted.
    """
    access.may_write()
    if entry.committed:
        raise UserError(f"{entry.key} is part of the committed demo and cannot be deleted")
    discard(entry.path, DELETED, lambda: _discard_units(store, entry.spec))


def _discard_units(store: Store, spec: Any) -> None:
    """Delete the units of a view that no other needs, and the weights that were trained for them."""
    others = (other for kind in VIEW_KINDS for other in store.entries(kind) if not other.committed)
    needed = {unit.key for other in others for unit in other.spec.units}
    for unit in spec.units:
        if unit.key not in needed:
            discard(file_of(store.root, unit))
            if pruned := getattr(unit, "pruned", None):
                discard(distillation_folder(store, unit.model, pruned))


def sweep(store: Store) -> None:
    """Clean up after killed processes: temporary files, half a deletion, parts of whole units.

    Raises:
        OSError: the cache cannot be written.
    """
    folders = (path for pattern in ("[!.]*", "parts/*", "jobs/*") for path in store.root.glob(pattern))
    for path in chain.from_iterable(map(abandoned, (store.root / "converted", *folders))):  # the largest first
        if deleted := _deleted(path):
            _discard_units(store, deleted.spec)
        remove(path)
    for parts in store.root.glob("parts/[!.]*"):
        if any((store.root / kind / f"{parts.name}{SUFFIX}").exists() for kind in UNITS):
            discard(parts)


def _deleted(path: Path) -> Entry | None:
    """View in a temporary file whose deletion was begun; None for anything else."""
    if path.parent.name not in VIEW_KINDS or not path.name.rpartition("-")[2].startswith(DELETED):
        return None
    try:
        return read(path, path.parent.name, path.name.split(".")[1])
    except (OSError, Corrupt):
        return None
