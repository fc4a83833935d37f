"""Files and folders that are found whole or not at all, their hashes, and the temporary names of what is on its way.

A temporary name tells the process at work on it, so that leftovers of killed processes are told from what is in use.
"""

import errno
import glob
import hashlib
import json
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG
from typing import Any

import psutil

from core.base import MAX_BYTES, Unreadable, access, digest

ATTEMPTS = 10  # at reading a folder that other processes may be replacing
PATIENCE = 20  # attempts at renaming what a reader has open
HOST = digest(platform.node())[:8]  # machines may share a cache
TEMPORARY = re.compile(r"\..+-(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-[^-]*", re.DOTALL)
UNPARSED = (ValueError, KeyError, TypeError, RecursionError)  # of JSON that is none, or says something else
Files = dict[str, bytes]  # name -> content
DAY = 86400.0  # seconds after which a temporary file of another machine counts as abandoned


class Corrupt(Exception):
    """An entry whose files are not what its manifest says."""


class Gone(Corrupt):
    """An entry that another process deleted at this moment."""


# --- temporary names -----------------------------------------------------------------------------------------------


def temporary_prefix(name: str) -> str:
    """The beginning of a temporary name; what follows makes it unique and has no hyphen."""
    return f".{name}-{HOST}-{os.getpid()}-"


def temporary_path(path: Path, why: str) -> Path:
    """A temporary name beside a path, for what lies there and is to go."""
    return path.with_name(f"{temporary_prefix(path.name)}{why}{time.time_ns()}")


def abandoned(folder: Path, name: str | None = None) -> Iterator[Path]:
    """Temporary files and folders in a folder whose process is gone, of one name or of all."""
    pattern = ".*" if name is None else f".{glob.escape(name)}-*"
    return filter(_is_abandoned, sorted(folder.glob(pattern)))


def _is_abandoned(path: Path) -> bool:
    match = TEMPORARY.fullmatch(path.name)
    if match is None:
        return False
    if match["host"] == HOST and not _alive(int(match["pid"])):
        return True
    try:
        return time.time() - path.lstat().st_mtime > DAY
    except FileNotFoundError:  # swept by another process
        return False


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:  # another user's, on a system that keeps those to itself
        return True


# --- writing and deleting ------------------------------------------------------------------------------------------


@contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """A folder beside a path for what is to lie there, gone afterwards unless it was renamed."""
    access.may_write()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=temporary_prefix(path.name), dir=path.parent))
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_folder(path: Path, files: Files, replace: bool = False, durable: bool = True) -> Path:
    """Write files and a manifest of their hashes to a temporary folder, then rename it into place.

    Args:
        replace: replace an existing folder; else whoever wrote first stays.
        durable: wait until it would survive a power cut; else it may be found damaged after one.
    """
    with temporary_folder(path) as temporary:
        for name, data in {**files, "manifest.json": pretty(hashes(files))}.items():
            (temporary / name).write_bytes(data)
        os.chmod(temporary, 0o755)
        if durable:
            flush(*temporary.iterdir(), temporary)
        if replace:
            discard(path)
        try:
            temporary.rename(path)
        except OSError:
            if not (path / "manifest.json").is_file():  # else another process wrote the same result first
                discard(path)  # half deleted once
                temporary.rename(path)
        if durable:
            flush(path.parent)
    return path


def write_file(path: Path, data: bytes, durable: bool = True) -> None:
    """Replace a file in one step; a reader sees the old content or the new, after a power cut too where durable."""
    access.may_write()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=temporary_prefix(path.name), dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o644)  # a temporary file is made for its owner alone
        if durable:
            flush(Path(temporary))
        patiently(lambda: os.replace(temporary, path))
        if durable:
            flush(path.parent)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def flush(*paths: Path) -> None:
    """Have the system write files, and the names in folders, to the disk itself."""
    windows = os.name == "nt"
    for path in paths:
        if windows and path.is_dir():  # it keeps the names safe by itself
            continue
        handle = os.open(path, os.O_RDWR if windows else os.O_RDONLY)
        try:
            os.fsync(handle)
        except OSError as error:
            if error.errno != errno.EINVAL:  # some network drives cannot, of a folder
                raise
        finally:
            os.close(handle)


def discard(path: Path, why: str = "", first: Callable[[], object] = lambda: None) -> None:
    """Delete a folder so that a reader sees it whole or not at all; do nothing where there is none.

    Args:
        why: in its temporary name, for whoever sweeps up after a killed process.
        first: what is done once nobody finds it any more, before its content goes.

    Raises:
        OSError: it cannot be deleted.
    """
    access.may_write()
    temporary = temporary_path(path, why)
    try:
        patiently(lambda: path.rename(temporary))
    except FileNotFoundError:  # there is none, or another process was faster
        return
    first()
    shutil.rmtree(temporary, ignore_errors=True)  # what stays is swept at the next start


def patiently(rename: Callable[[], object]) -> None:
    """Rename something; on Windows, which refuses while a reader has it open, try for as long as a reader takes."""
    for _ in range(PATIENCE if os.name == "nt" else 0):
        try:
            rename()
            return
        except PermissionError:
            time.sleep(0.05)
    rename()


def readable(folder: Path) -> None:
    """Let everyone read a folder: temporary folders and safetensors files are made for their owner alone."""
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    folder.chmod(0o755)


# --- reading and hashes --------------------------------------------------------------------------------------------


def stamp(path: Path) -> list:
    """Path, size, times and inode of a file, by which a change to it is noticed.

    A program that changes a file can set its modification time back; only the system sets the time of last change.
    """
    status = path.stat()
    return [str(path), status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns]


def stamps(folder: Path) -> tuple:
    """The stamp of each file of a folder; none where it is gone."""
    try:
        return tuple(sorted(tuple(stamp(path)) for path in folder.iterdir()))
    except OSError:
        return ()


def changed(path: Path) -> float:
    """The time when a file was last written, in seconds since 1970; 0 where it is gone."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def content(path: Path) -> bytes:
    """The bytes of a regular file.

    Raises:
        ValueError: it is a folder, a pipe or a device, or far larger than any result.
        FileNotFoundError: there is none.
        Unreadable: it cannot be read now.
    """
    try:
        status = path.stat()
        if not S_ISREG(status.st_mode) or status.st_size > MAX_BYTES["data file"]:
            raise ValueError(f"{path.name} is no file of a result")
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unreadable(error.errno, error.strerror, str(path)) from error


def verified(path: Path) -> Files:
    """The files of a folder, each equal to its recorded hash.

    Raises:
        Corrupt: one is missing or differs.
        Gone: the whole folder is.
        Unreadable: one cannot be read now, however often it is tried.
    """
    for last in [False] * (ATTEMPTS - 1) + [True]:
        try:
            manifest = json.loads(content(path / "manifest.json"))
            files = {name: content(path / name) for name in manifest}
            recorded = {name: manifest[name] for name in files}
            break
        except FileNotFoundError as error:
            if not (path / "manifest.json").exists():
                raise Gone(f"{path.name} was deleted while it was read") from error
            if last:  # before that, it may have been replaced while it was read
                raise Corrupt(f"a file is missing: {error.filename}") from error
        except Unreadable:
            if last:
                raise
        except UNPARSED as error:
            raise Corrupt(f"manifest.json cannot be followed: {error}") from error
    for name, found in hashes(files).items():
        if found != recorded[name]:
            raise Corrupt(f"{name} is not what was written")
    return files


def hashes(files: Files) -> dict[str, str]:
    """The SHA-256 of each file, in hex, as a manifest holds them."""
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def sealed(value: object) -> bytes:
    """A JSON value and its hash."""
    return pretty({"value": value, "sha256": _seal(value)})


def unsealed(path: Path) -> Any | None:
    """The value that was sealed in a file; None where there is no file, or it was changed."""
    try:
        found = json.loads(content(path))
        return found["value"] if found["sha256"] == _seal(found["value"]) else None
    except (OSError, *UNPARSED):
        return None


def _seal(value: object) -> str:
    return digest(json.dumps(value, sort_keys=True))


def pretty(value: object) -> bytes:
    """JSON for people, as bytes."""
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()
