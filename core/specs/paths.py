"""Paths as people type them: a name that cannot be names nothing."""

from __future__ import annotations

import os
from pathlib import Path

from core.specs.errors import UserError
from core.specs.plain import brief


def exists(path: Path) -> bool:
    """Whether something lies there; a name that cannot be names nothing."""
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, or with signs that no name has
        return False


def expanded(typed: str | Path) -> Path:
    """A path with `~` for the home folder, as a shell reads it; `~` of nobody who is known here stays as it is."""
    try:
        return Path(os.path.expanduser(typed))
    except ValueError:  # signs that no name has
        return Path(typed)


def resolved(typed: str | Path) -> Path:
    """The whole path, `~` and links followed.

    Raises:
        UserError: there can be no such path.
    """
    try:
        found = expanded(typed).resolve()
        found.exists()  # a name that is too long shows only when it is looked for
        return found
    except (OSError, ValueError, RuntimeError) as error:  # or a circle of links
        raise UserError(f"there can be no file or folder {brief(str(typed))}: check the path") from error
