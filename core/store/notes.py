"""Notes: JSON values with a hash, hashes and headers of files that hold until the file changes."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.base import access, digest
from core.store.files import UNPARSED, content, pretty, write_file

UNSAVED = {}  # notes that a cache could not keep


def write_note(path: Path, value: object) -> None:
    """Write a JSON value with a hash over it and its name."""
    write_file(path, pretty({"value": value, "sha256": _seal(path, value)}))


def read_note(path: Path) -> Any | None:
    """Value of a note; None if there is none, or it was changed or is another's."""
    try:
        note = json.loads(content(path))
        return note["value"] if note["sha256"] == _seal(path, note["value"]) else None
    except (OSError, *UNPARSED):
        return None


def _seal(path: Path, value: object) -> str:
    return digest(json.dumps([path.name, value], sort_keys=True))


def stamp(path: str | Path) -> list:
    """Path, size, times and inode of a file, which reveal a change.

    A program that changes a file can set its modification time back; only the system sets the time of last change.
    """
    status = os.stat(path)  # a Path takes longer to make than to read, and there are thousands of runs
    return [str(path), status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns]


def once_per_state(read: Callable[[Any], Any]) -> Callable[[str | Path], Any]:
    """Wrap a function of a path: it is called once for each state of the file, by its stamp.

    Whoever replaces a file makes the new one while the old one is there, so their inodes differ.
    """
    cached = lru_cache(maxsize=20_000)(lambda path, *_: read(path))

    def read_once(path):
        try:
            return cached(path, *stamp(path))
        except OSError:  # reading it says why
            return read(path)

    return read_once


def remembered(root: Path, path: Path, kind: str, find: Callable[[Path], Any]) -> Any:
    """`find(path)`, which must be JSON, computed once per state of the file and kept in the cache at `root`."""
    path = path.resolve()
    memo = root / "remembered" / f"{kind}-{digest(ascii(path))[:16]}.json"
    now = stamp(path)
    note_before = UNSAVED.get(memo) or read_note(memo)
    if note_before and note_before["file"] == now:
        return note_before["found"]
    value = find(path)
    note = {"file": now, "found": value}
    if stamp(path) == now:  # else it was written while it was read
        try:
            write_note(memo, note)
        except (OSError, access.Refused):  # a cache that cannot be written: this process remembers
            UNSAVED[memo] = note
    return value


def file_hash(root: Path, path: Path) -> str:
    """SHA-256 of a file, in hex."""
    return remembered(root, path, "sha256", sha256)


def combined(root: Path, paths: Iterable[Path]) -> str:
    """One hash over several files: their names and contents, in the order of the names."""
    return digest("\n".join(f"{path.name} {file_hash(root, path)}" for path in sorted(paths)))


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hex, computed now."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
