"""What an export is about to do, noted in the cache while it is under way.

So a killed one leaves no copy of a model behind, and one that stands and was not recorded yet is known.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

from core.ask.requests import ExportSpec
from core.base.errors import UserError
from core.base.paths import readable, resolved
from core.export.card import RECIPE
from core.store.cache import Entry, Store
from core.store.files import abandoned, sealed, unsealed, write_file

FORMER = "former"  # in the temporary name of the export that another takes the place of


def begin(store: Store, folder: Path) -> None:
    """Note that a folder is to be written."""
    write_file(_note(store, folder), sealed({"folder": str(folder)}))


def ready(store: Store, folder: Path, spec: ExportSpec, told: dict, recipe: bytes) -> None:
    """Note that it only has to get its name, and what is then to be recorded of it."""
    asked = {"spec": spec.model_dump(mode="json"), "told": told, "recipe": hashlib.sha256(recipe).hexdigest()}
    write_file(_note(store, folder), sealed({"folder": str(folder), **asked}))


def end(store: Store, folder: Path) -> None:
    """Forget it: the folder stands and its run is done, or it came to nothing."""
    _note(store, folder).unlink(missing_ok=True)


def stands(store: Store, folder: Path, spec: ExportSpec | None = None) -> Entry | None:
    """The record of a folder that a killed export had finished, made now where it is missing; None where there is none.

    Args:
        spec: what it has to be; None: whatever it is.
    """
    return _recorded(store, unsealed(_note(store, folder)), spec)


def sweep(store: Store) -> None:
    """Delete copies that killed exports left beside their targets, and record the folders that stand."""
    for path in sorted(store.root.glob("exporting/[!.]*.json")):
        note = unsealed(path)
        folder = Path(note["folder"]) if note else None
        if folder:
            _clear(folder)
        if not _recorded(store, note) and not (folder and any(folder.parent.glob(f".{folder.name}-*"))):
            path.unlink(missing_ok=True)


def _clear(folder: Path) -> None:
    for path in abandoned(folder.parent, folder.name):
        if path.name.rpartition("-")[2].startswith(FORMER) and not folder.exists():
            path.rename(folder)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _recorded(store: Store, note: dict[str, Any] | None, spec: ExportSpec | None = None) -> Entry | None:
    if note is None:
        return None
    try:
        recipe = readable(Path(note["folder"]) / RECIPE, "settings file").read_bytes()
        found = ExportSpec.model_validate(note["spec"])
        same = hashlib.sha256(recipe).hexdigest() == note["recipe"] and spec in (None, found)
    except (UserError, OSError, KeyError, ValueError):  # it was never finished, or is no more
        return None
    return store.entry(store.path(found) or store.save(found, None, note["told"])) if same else None


def _note(store: Store, folder: Path) -> Path:
    name = hashlib.sha256(str(resolved(folder)).encode()).hexdigest()[:16]
    return store.root / "exporting" / f"{name}.json"
