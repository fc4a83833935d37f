"""Exceptions for the person at the keyboard, the values they quote, and shortages of the machine."""

import errno
import os
import re
import reprlib
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.base.formats import legible

_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxother = _BRIEF.maxlong = 80
_BRIEF.maxlevel, _BRIEF.maxlist, _BRIEF.maxdict, _BRIEF.maxtuple = 3, 6, 4, 6


# A value that somebody typed, in quotation marks or without blanks; what begins within a word is an apostrophe.
LONG = re.compile(r"(?<!\w)'(?:[^'\\]|\\.){200,}'(?!\w)|\S{200,}")
LONG_LINE = re.compile(r"^(.{400}).{200,}(.{200})$", re.MULTILINE)  # repeats one with blanks and no quotation marks
FOLDERS = re.compile(r"(?:(?<=file:)|(?<![\w.:/\\]))(?:[A-Za-z]:)?[/\\](?:[^\s/\\]+[/\\])+")  # of a path from the root
READ_ONLY, SHARED = "ABSORPTION_READ_ONLY", "ABSORPTION_SHARED"  # set in the environment of a server for others


def is_for_others() -> bool:
    """True on a server that readers may not change, or that others than its user reach."""
    return bool(os.environ.get(READ_ONLY) or os.environ.get(SHARED))


def hide_folders(text: str) -> str:
    """Cut every path from the root in a text to its last name, on a server for others."""
    return FOLDERS.sub("", text) if is_for_others() else text


def for_reader(text: str) -> str:
    """Cut every long value in a text in the middle; a server for others names no folders of its machine either."""
    return LONG_LINE.sub(r"\1…\2", LONG.sub(lambda value: f"{value[0][:60]}…{value[0][-20:]}", hide_folders(text)))


class UserError(Exception):
    """A request that cannot be met. The message is one sentence: what was wrong, and what would be right.

    Pages show it, the command line prints it and exits with 2. Every other exception is a bug and keeps its traceback.
    """

    def __init__(self, text: str):
        super().__init__(for_reader(text))


class Broken(UserError):
    """Pruning breaks the model: a layer's inputs are not finite, or no kernel can work with them.

    A study records it as that setting's result, whose perplexity is not a number; everything else refuses.
    """

    def __init__(self, text: str, layer: int | None = None):
        """layer: the one that could not be pruned; None where the raiser does not know it."""
        super().__init__(text)
        self.layer = layer


class Unreadable(OSError):
    """An existing file cannot be read now, which says nothing about its content."""


def brief(value: object) -> str:
    """The repr of a value, cut where it is long or deep."""
    return legible(_BRIEF.repr(value))


def gist(error: BaseException) -> str:
    """The first sentence of a library's message, shortened and legible: it may quote a stranger's file."""
    first = " ".join(str(error).split()).split(". ")[0].rstrip(".!: ")
    return legible(textwrap.shorten(first, 160, placeholder="…")) or type(error).__name__


# --- shortages of the machine: not the fault of a request, and no bug -----------------------------------------------

FULL = {number for name in ("ENOSPC", "EDQUOT", "EFBIG") if (number := getattr(errno, name, None))}
CLOSED = {errno.EROFS, errno.EACCES, errno.EPERM}
MISPLACED = {errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ELOOP}
# in messages of libraries that raise errors of their own: torch, safetensors, the allocator
NO_ROOM = ("os error 28)", "os error 122)", "os error 27)", "No space left on device")
NO_MEMORY = (
    "can't allocate memory", "Cannot allocate memory", "not enough memory", "out of memory", "std::bad_alloc",
    "os error 12)",
)  # fmt: skip


def shortage(error: Any) -> str | None:
    """One sentence on what an error says is lacking and what to do; None for any other kind of error."""
    if out_of_memory(error):
        return (
            "there is not enough memory: close other programs, or ask for fewer and shorter windows, and run it again"
        )
    path = os.fspath(error.filename) if isinstance(error, OSError) and error.filename else ""
    folder = os.path.dirname(path)
    if isinstance(error, Unreadable):
        return f"{path} cannot be read ({error.strerror}): allow it, or check the disk, and try again"
    if disk_full(error):
        return f"the disk is full{f', so {folder} cannot be written to' * bool(folder)}: make room and run it again"
    if folder and error.errno in CLOSED:
        may = {path: os.R_OK}
        shut = _first(path, lambda each: os.path.exists(each) and not os.access(each, may.get(each, os.X_OK)))
        what = f"{shut} cannot be read" if shut else f"{folder} cannot be written to"
        return f"{what}: allow it, or name another"
    if folder and error.errno in MISPLACED:
        what = _first(path, os.path.isfile) or path
        return f"{what} is in the way, for a folder is needed there: move it, or name another folder"
    return None


def _first(path: str, is_it: Callable[[str], bool]) -> str | None:
    """The first folder along a path, or its end, that satisfies a condition."""
    return next(filter(is_it, map(str, [*reversed(Path(path).parents), path])), None)


def out_of_memory(error: BaseException) -> bool:
    """True if the memory of the machine or of a device is exhausted."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # the latter is torch's
        return True
    return any(each in str(error) for each in NO_MEMORY)


def disk_full(error: BaseException) -> bool:
    """True if the disk or a quota is full."""
    if isinstance(error, OSError) and error.errno:
        return error.errno in FULL
    return any(each in str(error) for each in NO_ROOM)
