"""Files and folders that readers see whole or not at all, and temporary names for what is being written.

A temporary name holds its process, so that leftovers of killed processes are told apart from files in use.
"""

import errno
import glob
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

import psutil

from core.base import MAX_BYTES, Unreadable, access, digest, made

ATTEMPTS = 10  # at reading a file that another process may be replacing
PATIENCE = 20  # attempts at renaming a file that a reader has open
HOST = digest(platform.node())[:8]  # machines may share a cache
TEMPORARY = re.compile(r"\..+-(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-[^-]*", re.DOTALL)
UNPARSED = (ValueError, KeyError, TypeError, RecursionError)  # of text that is not JSON, or JSON of another shape
DAY = 86400.0  # seconds after which a temporary file of another machine counts as abandoned


class Corrupt(Exception):
    """An entry that is not what was written."""


# --- temporary names -----------------------------------------------------------------------------------------------


def temporary_prefix(name: str) -> str:
    """Beginning of a temporary name; a unique part without a hyphen follows."""
    return f".{name}-{HOST}-{os.getpid()}-"


def temporary_path(path: Path, why: str) -> Path:
    """Temporary name beside a path, for a file or folder on its way out."""
    return path.with_name(f"{temporary_prefix(path.name)}{why}{time.time_ns()}")


def abandoned(folder: Path, name: str | None = None) -> Iterator[Path]:
    """Temporary files and folders whose process is gone, of one name or of all."""
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
    """Temporary folder beside a path, removed afterwards unless it was renamed."""
    access.may_write()
    made(path.parent)
    temporary = Path(tempfile.mkdtemp(prefix=temporary_prefix(path.name), dir=path.parent))
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_file(path: Path, data: bytes, durable: bool = True) -> None:
    """Replace a file in one step; a reader sees the old content or the new, also after a power cut if durable."""
    access.may_write()
    made(path.parent)
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
    """Write files, and the names in folders, through to the disk."""
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
    """Delete a file or folder so that a reader sees it whole or not at all; does nothing if there is none.

    Args:
        why: part of its temporary name, for the sweep after a killed process.
        first: called once the name is gone, before the content goes.

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
    remove(temporary)  # what stays is swept at the next start


def remove(path: Path) -> None:
    """Remove a file, or a folder as far as possible."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def patiently(rename: Callable[[], object]) -> None:
    """Rename; on Windows, which refuses while a reader has the file open, retry for as long as a reader takes."""
    for _ in range(PATIENCE if os.name == "nt" else 0):
        try:
            rename()
            return
        except PermissionError:
            time.sleep(0.05)
    rename()


def readable(folder: Path) -> None:
    """Let everyone read a folder; temporary folders and safetensors files are made for their owner alone."""
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    folder.chmod(0o755)


# --- reading and hashes --------------------------------------------------------------------------------------------


def changed(path: Path) -> float:
    """Time of the last write, in seconds since 1970; 0 if the file is gone."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def content(path: Path) -> bytes:  # type: ignore[return]  # the last attempt returns or raises
    """Read a regular file.

    Raises:
        ValueError: a folder, pipe or device, or far larger than any result.
        FileNotFoundError, Unreadable: there is none, or it cannot be read now, however often it is tried.
    """
    for attempt in range(ATTEMPTS):
        try:
            status = path.stat()
            if not S_ISREG(status.st_mode) or status.st_size > MAX_BYTES["data file"]:
                raise ValueError(f"{path.name} is no file of a result")
            return path.read_bytes()
        except FileNotFoundError:
            raise
        except OSError as error:
            if attempt == ATTEMPTS - 1:
                raise Unreadable(error.errno, error.strerror, str(path)) from error


def pretty(value: object) -> bytes:
    """JSON for people, as bytes."""
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()
