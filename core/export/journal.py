"""Folders that are being exported to, noted in the cache until their run is done.

So a killed export leaves no copy of a model behind, and the folder that it had finished is known.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from core.ask.requests import ExportSpec
from core.base.errors import UserError
from core.base.paths import json_value, resolved
from core.export.card import RECIPE
from core.store.cache import Entry, Store
from core.store.files import abandoned, sealed, unsealed, write_file

FORMER = "former"  # in the temporary name of the export that another takes the place of


def begin(store: Store, folder: Path) -> None:
    """Note that a folder is to be written."""
    write_file(_note(store, folder), sealed({"folder": str(folder)}))


def end(store: Store, folder: Path) -> None:
    """Forget it: the folder stands and its run is done, or it came to nothing."""
    _note(store, folder).unlink(missing_ok=True)


def stands(store: Store, folder: Path, spec: ExportSpec | None = None) -> Entry | None:
    """The record of a folder that a killed export had finished, or None.

    Args:
        spec: what it has to be; None: whatever it is.
    """
    if not _note(store, folder).is_file():
        return None
    try:
        key = json_value(folder / RECIPE, "settings file")["key"]
    except (UserError, KeyError, TypeError):  # it was never finished, or is no more
        return None
    return next((each for each in store.entries("export") if each.key == key and spec in (None, each.spec)), None)


def sweep(store: Store) -> None:
    """Delete copies that killed exports left beside their targets, and forget targets where nothing stands."""
    for path in sorted(store.root.glob("exporting/[!.]*.json")):
        note = unsealed(path)
        folder = Path(note["folder"]) if note else None
        if folder:
            _clear(folder)
        if not folder or not (stands(store, folder) or any(folder.parent.glob(f".{folder.name}-*"))):
            path.unlink(missing_ok=True)


def _clear(folder: Path) -> None:
    for path in abandoned(folder.parent, folder.name):
        if path.name.rpartition("-")[2].startswith(FORMER) and not folder.exists():
            path.rename(folder)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _note(store: Store, folder: Path) -> Path:
    name = hashlib.sha256(str(resolved(folder)).encode()).hexdigest()[:16]
    return store.root / "exporting" / f"{name}.json"
