"""Paths as people type them, and the only way their files are read: regular files of bounded size."""

import json
import math
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath, PureWindowsPath
from stat import S_ISREG
from typing import Any

from core.base.errors import UserError, brief

Fields = dict[str, Any]  # values by name, as of a JSON object
PROJECT = Path(__file__).resolve().parent.parent.parent
MAX_BYTES = {  # bytes of a file, by what it is read as
    "study file": 2**15,  # tomllib takes long for a key of thousands of parts
    "allocation file": 2**18,  # ten thousand linears
    "task file": 2**16,
    "settings file": 2**27,
    "text file": 2**28,
    "text table": 2**30,
    "data file": 2**28,
    "weights file": math.inf,  # of which only the header is read whole
}


def exists(path: Path) -> bool:
    """True if the path exists; an impossible name does not."""
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, or with signs that no name has
        return False


def expanded(typed: str | Path) -> Path:
    """Expand `~` to the home folder, as a shell does; `~` of an unknown user stays as it is."""
    try:
        return Path(os.path.expanduser(typed))
    except ValueError:  # signs that no name has
        return Path(typed)


def resolved(typed: str | Path) -> Path:
    """Absolute path, with `~` and links followed.

    Raises:
        UserError: there can be no such path.
    """
    try:
        path = expanded(typed).resolve()
        with suppress(PermissionError):  # of a folder above it
            path.exists()  # a name that is too long shows only when it is looked for
        return path
    except (OSError, ValueError, RuntimeError) as error:  # or a circle of links
        raise UserError(f"there can be no file or folder {brief(str(typed))}: check the path") from error


def made(folder: Path) -> Path:
    """Make a folder, and those above it, unless it is there.

    Raises:
        UserError: the system keeps none there, as below /proc, or so deep.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileNotFoundError, RecursionError) as error:  # thousands of folders in each other
        raise UserError(f"no folder can be made at {brief(str(folder))}: name another") from error
    return folder


# --- files -----------------------------------------------------------------------------------------------


def readable(path: Path, kind: str) -> Path:
    """Return the path of a regular file within the size limit of its kind, of `MAX_BYTES`; links are followed.

    Raises:
        UserError: there is none, it is a folder, a pipe or a device, or it is too large.
    """
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise UserError(f"there is no {kind} {brief(str(path))}") from error
    if not (S_ISREG(status.st_mode) and os.access(path, os.R_OK)):
        raise UserError(f"{brief(str(path))} is no file that may be read as any {kind} is: name a regular one")
    if status.st_size > MAX_BYTES[kind]:
        raise UserError(
            f"{brief(path.name)} holds {round(status.st_size / 2**20, 3):,} MiB, more than the "
            f"{MAX_BYTES[kind] / 2**20:,g} MiB of any {kind}: name a smaller one, or a part of it"
        )
    return path


def read_text(path: Path, kind: str) -> str:
    """The UTF-8 text of a file, without the mark that Windows tools begin one with.

    Raises:
        UserError: as `readable`, or it is no such text.
    """
    try:
        return readable(path, kind).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(
            f"{brief(path.name)} cannot be read ({error.strerror}): check the disk, or copy it anew"
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(f"{brief(path.name)} is not UTF-8 text (byte {error.start})") from error


def json_value(path: Path, kind: str) -> Any:
    """Value that a JSON file holds.

    Raises:
        UserError: as `read_text`, or it is no JSON.
    """
    try:
        return json.loads(read_text(path, kind))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{brief(path.name)} is not JSON that can be read, as any {kind} is") from error


def texts_in(value: Any) -> Iterator[str]:
    """Every text of a JSON value, at any depth."""
    if isinstance(value, str):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        yield from texts_in(each)


# --- text that leaves this machine -----------------------------------------------------------------------------------

LOCAL = re.compile(r"(?P<form>(?:random:|file:)*)(?P<path>(?:/|~|[A-Za-z]:[\\/]|\\\\|\.\.?[\\/]).*)", re.DOTALL)


def without_folders(value: Any) -> Any:
    """Shorten each text of a JSON value that is a path from the root, home or working folder to its last name.

    `file:/home/me/notes.txt` -> `file:notes.txt`. A path inside the project, which says nothing of this machine, stays.
    """
    if isinstance(value, dict):
        return {name: without_folders(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_folders(each) for each in value]
    path = LOCAL.fullmatch(value) if isinstance(value, str) else None
    if path is None:
        return value
    form = PureWindowsPath if re.match(r"[A-Za-z]:|\\", path["path"]) else PurePosixPath
    return path["form"] + form(path["path"]).name
