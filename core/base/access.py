"""The permissions of a server that others use, asked wherever something is run, written, deleted, or read by its path.

`python -m core serve` says it in the environment, so that the processes which a server starts are bound by it too.
Without it the program is its one user's, who may do everything.
"""

from __future__ import annotations

import os
from pathlib import Path

from core.base.errors import UserError
from core.base.paths import resolved

READ_ONLY, SHARED, ROOT = "ABSORPTION_READ_ONLY", "ABSORPTION_SHARED", "ABSORPTION_ROOT"
NOTHING = "this server is read-only: nothing can be run, written or deleted here"


class Refused(UserError):
    """An act that this server does not permit."""


def is_read_only() -> bool:
    return bool(os.environ.get(READ_ONLY))


def is_shared() -> bool:
    return bool(os.environ.get(SHARED))


def root() -> Path | None:
    """The folder that models, texts and exports of a shared server lie in; None: anywhere."""
    said = os.environ.get(ROOT)
    return Path(said).resolve() if said else None


def may_write() -> None:
    """
    Raises:
        Refused: nothing may be written.
    """
    if is_read_only():
        raise Refused(NOTHING)


def inside(path: Path) -> Path:
    """A path that may be read or written, as it was given.

    Raises:
        Refused: it leads out of the folder of this server; links count for where they lead.
        UserError: there can be no such path.
    """
    folder = root()
    if folder is not None and not resolved(path).is_relative_to(folder):
        raise Refused(f"{path.name or path} does not lie in the folder of this server: give a path below {folder}")
    return path


def confine(asked: object) -> None:
    """Refuse a request, as JSON, that names a path out of the folder of this server.

    Raises:
        Refused: the first that does.
        UserError: there can be no such path.
    """
    inner = asked.values() if isinstance(asked, dict) else asked if isinstance(asked, (list, tuple)) else ()
    for each in inner:
        confine(each)
    if isinstance(asked, str) and root():
        text = asked.removeprefix("random:")
        if text.startswith(("file:", "~", ".")) or Path(text).is_absolute():
            inside(Path(text.removeprefix("file:")))
