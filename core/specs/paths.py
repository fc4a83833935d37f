"""Paths as people type them: a name that cannot be names nothing."""

from __future__ import annotations

from pathlib import Path

from core.specs.errors import UserError
from core.specs.plain import brief


def exists(path: Path) -> bool:
    """Whether something lies there; a name that cannot be names nothing."""
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, or with signs that no name has
        return False


def resolved(path: Path) -> Path:
    """The whole path, links followed.

    Raises:
        UserError: there can be no such path.
    """
    try:
        found = path.resolve()
        found.exists()  # a name that is too long shows only when it is looked for
        return found
    except (OSError, ValueError, RuntimeError) as error:  # or a circle of links
        raise UserError(f"there can be no file or folder {brief(str(path))}: check the path") from error
