"""Files that are found whole or not at all, with the hashes they are checked by."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.store import access
from core.store.hidden import aside, beginning

ATTEMPTS = 10  # at reading a folder that other processes may be replacing
PATIENCE = 20  # attempts at renaming what a reader has open


class Corrupt(Exception):
    """An entry whose files are not what its manifest says."""


class Gone(Corrupt):
    """An entry that another process deleted at this moment."""


def write_folder(
    path: Path, files: dict[str, bytes], beside: dict[str, bytes] | None = None, replace: bool = False
) -> Path:
    """Write files and their hashes to a temporary folder, then rename it into place.

    Args:
        beside: files that the manifest does not name, for they are no part of the entry.
        replace: take the place of what lies there; else whoever wrote first stays.
    """
    access.may_write()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=beginning(path.name), dir=path.parent))
    try:
        for name, content in {**files, **(beside or {}), "manifest.json": pretty(hashes(files))}.items():
            (temporary / name).write_bytes(content)
        os.chmod(temporary, 0o755)
        if replace:
            discard(path)
        try:
            temporary.rename(path)
        except OSError:
            if not (path / "manifest.json").is_file():  # else another process wrote the same result first
                discard(path)  # half deleted once
                temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return path


def discard(path: Path, why: str = "") -> None:
    """Delete a folder so that a reader sees it whole or not at all; nothing where there is none.

    Args:
        why: begins the end of the hidden name that it bears while it is deleted.

    Raises:
        OSError: it cannot be deleted.
    """
    access.may_write()
    hidden = aside(path, why)
    try:
        patiently(lambda: path.rename(hidden))
    except FileNotFoundError:
        return
    shutil.rmtree(hidden, ignore_errors=True)  # what stays is swept at the next start


def write_file(path: Path, content: bytes) -> None:
    """Replace a file in one step; a reader sees the old content or the new."""
    access.may_write()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=beginning(path.name), dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)  # as any file a program writes: a temporary one is its owner's alone
        patiently(lambda: os.replace(temporary, path))
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def patiently(rename: Callable[[], object]) -> None:
    """Rename something; on Windows, which does not while a reader has it open, for as long as a reader takes."""
    for _ in range(PATIENCE if os.name == "nt" else 0):
        try:
            rename()
            return
        except PermissionError:
            time.sleep(0.05)
    rename()


def stamp(path: Path) -> list:
    """Path, size, times and inode: what tells whether a file is still the one that was hashed.

    Whoever changes a file can set its time of change back; when it was last touched at all, only the system sets.
    """
    status = path.stat()
    return [str(path), status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns]


def changed(path: Path) -> float:
    """When a file was last written, seconds since 1970; 0 where it is gone."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def verified(path: Path) -> dict[str, bytes]:
    """The files of a folder, each equal to its recorded hash.

    Raises:
        Corrupt: one is missing or differs.
        Gone: the whole folder is.
    """
    for attempt in range(ATTEMPTS):
        try:
            manifest = json.loads((path / "manifest.json").read_bytes())
            files = {name: (path / name).read_bytes() for name in manifest}
            recorded = {name: manifest[name] for name in files}
            break
        except FileNotFoundError as error:
            if not (path / "manifest.json").exists():
                raise Gone(f"{path.name} was deleted while it was read") from error
            if attempt == ATTEMPTS - 1:  # before that, it may have been replaced while it was read
                raise Corrupt(f"a file is missing: {error.filename}") from error
        except (OSError, ValueError, TypeError) as error:
            raise Corrupt(f"manifest.json cannot be followed: {error}") from error
    for name, found in hashes(files).items():
        if found != recorded[name]:
            raise Corrupt(f"{name} is not what was written")
    return files


def hashes(files: dict[str, bytes]) -> dict[str, str]:
    """The SHA-256 of each file, in hex: what a manifest holds."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def sealed(value: object) -> bytes:
    """A JSON value and its hash."""
    return pretty({"value": value, "sha256": _seal(value)})


def unsealed(path: Path) -> Any | None:
    """What was sealed in a file; None where there is none, or what it holds is not what was written."""
    try:
        found = json.loads(path.read_bytes())
        return found["value"] if found["sha256"] == _seal(found["value"]) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _seal(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def pretty(value: object) -> bytes:
    """JSON for people, as bytes."""
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


def readable(folder: Path) -> None:
    """Temporary folders and safetensors files are made for their owner alone; results are to be shared."""
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    folder.chmod(0o755)
