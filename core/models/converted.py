"""Converted copies of GGUF files, kept in the cache: reading a GGUF is slow, reading safetensors is not.

A copy lies under the hash of its file, the number of this method and the versions of the libraries that convert, so it
is what reading the file would give now. It is checked by hash when it is read. Deleting `converted` loses nothing.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core.base import access
from core.models.file_hashes import file_hash, sha256
from core.models.sources import Source
from core.store.cache import Store
from core.store.files import changed, discard, pretty, readable, temporary_prefix

METHOD = 1
CONVERTERS = ("transformers", "gguf", "safetensors", "tokenizers")
LARGEST = 4_000_000_000  # bytes of a copy: larger models are read from their own file
KEPT = 2  # copies of other files that stay when one is added


def address(source: Source, store: Store) -> Path:
    """Where the copy of a file lies, if there is one."""
    versions = [importlib.metadata.version(name) for name in CONVERTERS]
    text = " ".join([source.content, str(METHOD), *versions])
    return store.root / "converted" / hashlib.sha256(text.encode()).hexdigest()[:16]


def find(source: Source, store: Store) -> Path | None:
    """The folder of a file's copy, each of its files equal to its recorded hash; None where there is no such copy."""
    if source.gguf is None:
        return None
    folder = address(source, store)
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
        whole = {path.name for path in folder.iterdir()} == {"manifest.json", *manifest}
        if whole and all(file_hash(store, folder / name) == found for name, found in manifest.items()):
            return folder
    except (OSError, ValueError, AttributeError):  # none yet, or a damaged one
        pass
    with suppress(OSError, access.Refused):  # a cache that cannot be written
        discard(folder)  # it can be made again
    return None


@contextmanager
def writing(source: Source, store: Store) -> Iterator[Path]:
    """A temporary folder to write a copy to, which others find once it is whole.

    Raises:
        OSError: it cannot be written; no trace of it stays.
    """
    folder = address(source, store)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=temporary_prefix(folder.name), dir=folder.parent))
    try:
        yield temporary
        names = sorted(path.name for path in temporary.iterdir())
        manifest = {name: sha256(temporary / name) for name in names}
        (temporary / "manifest.json").write_bytes(pretty(manifest))
        readable(temporary)
        _publish(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def room(store: Store, size: int) -> bool:
    """Whether a copy of so many bytes is small enough, and leaves as much of the disk free."""
    if access.is_read_only():
        return False
    there = next(path for path in (store.root, *store.root.absolute().parents) if path.exists())
    return size <= LARGEST and shutil.disk_usage(there).free > 2 * size


def _publish(temporary: Path, folder: Path) -> None:
    try:
        temporary.rename(folder)
    except OSError:
        if not (folder / "manifest.json").is_file():
            raise
        return  # another process was faster
    others = sorted(folder.parent.glob("[!.]*"), key=lambda path: changed(path / "manifest.json"))
    for old in [path for path in others if path != folder][:-KEPT]:
        discard(old)
