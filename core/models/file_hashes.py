"""Hashes and headers of files, kept in the cache until the path, size, times or inode of a file change."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from core.base import access, digest
from core.store import Store
from core.store.files import sealed, stamp, unsealed, write_file

UNSAVED = {}  # notes that a cache could not keep


def remembered(store: Store, path: Path, kind: str, find: Callable[[Path], Any]) -> Any:
    """`find(path)`, which must be JSON, computed once per state of the file and kept in the cache."""
    path = path.resolve()
    memo = store.root / "remembered" / f"{kind}-{digest(str(path))[:16]}.json"
    now = stamp(path)
    note_before = UNSAVED.get(memo) or unsealed(memo)
    if note_before and note_before["file"] == now:
        return note_before["found"]
    value = find(path)
    note = {"file": now, "found": value}
    if stamp(path) == now:  # else it was written while it was read
        try:
            write_file(memo, sealed(note))
        except (OSError, access.Refused):  # a cache that cannot be written: this process remembers
            UNSAVED[memo] = note
    return value


def file_hash(store: Store, path: Path) -> str:
    """SHA-256 of a file, in hex."""
    return remembered(store, path, "sha256", sha256)


def combined(store: Store, paths: Iterable[Path]) -> str:
    """One hash over several files: their names and contents, in the order of the names."""
    return digest("\n".join(f"{path.name} {file_hash(store, path)}" for path in sorted(paths)))


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hex, computed now."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
