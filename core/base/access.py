"""Permissions of a shared server, checked wherever something is run, written, deleted, or read by its path.

`python -m core serve` sets them in the environment, so that processes which the server starts are bound by them too.
Without them the program belongs to its one user, who may do everything.
"""

import os
import re
from pathlib import Path

from core.base.errors import READ_ONLY, SHARED, UserError, brief
from core.base.paths import resolved, texts_in

ROOT = "ABSORPTION_ROOT"
NOTHING = "this server is read-only: nothing can be run, written or deleted here"
NO_PATHS = "this server reads nothing by its path: choose what it lists"


class Refused(UserError):
    """An act that this server does not permit."""


def is_read_only() -> bool:
    return bool(os.environ.get(READ_ONLY))


def is_shared() -> bool:
    return bool(os.environ.get(SHARED))


def root() -> Path | None:
    """The only folder for models, texts and exports of a shared server; None: anywhere."""
    folder = os.environ.get(ROOT)
    return Path(folder).resolve() if folder else None


def may_write() -> None:
    """
    Raises:
        Refused: nothing may be written.
    """
    if is_read_only():
        raise Refused(NOTHING)


def inside(path: Path) -> Path:
    """Return a path that may be read or written, unchanged. Nothing is looked up where no path is allowed.

    Raises:
        Refused: it leads out of the folder of this server, or a shared server has none; links are followed.
        UserError: it lies on another computer, or there can be no such path.
    """
    # To look at \\host\share tells the host who asks, and so does \??\UNC\host\share.
    sign = r"[\\/]" if os.name == "nt" else r"\\"
    if re.match(rf"{sign}({sign}|\?\?{sign})", os.path.normpath(path)):
        raise UserError(f"{brief(str(path))} lies on another computer: copy it here, or give it a drive letter")
    folder = root()
    if folder is None and is_shared():
        raise Refused(NO_PATHS)
    if folder is not None and not resolved(path).is_relative_to(folder):
        named = f"{brief(path.name or str(path))} does not lie in the folder of this server"
        raise Refused(f"{named}: give a path below {folder}")
    return path


def permits(path: Path) -> bool:
    """True if a path may be read or written."""
    try:
        inside(path)
    except UserError:
        return False
    return True


def confine(request: object) -> None:
    """Refuse a request, as JSON, that names a path outside the folder of this server, or on another computer.

    Raises:
        Refused: for the first such path.
        UserError: there can be no such path, or it lies on another computer.
    """
    for each in texts_in(request):
        text = each.removeprefix("random:")
        if text.startswith(("file:", "~", ".", "\\")) or Path(text).is_absolute():
            inside(Path(text.removeprefix("file:")))
