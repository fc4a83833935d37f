"""What leaves this machine says no path of it: files are known by their names and hashes."""

from __future__ import annotations

import re
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

PATH = re.compile(r"(?P<form>(?:random:|file:)*)(?P<path>(?:/|~|[A-Za-z]:[\\/]|\\\\|\.\.?[\\/]).*)", re.DOTALL)


def public(value: Any) -> Any:
    """JSON without folders: each text that is a path from the root, the home or the working folder, by its last name.

    A path inside the project, which says nothing of this machine, stays.
    """
    if isinstance(value, dict):
        return {name: public(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [public(each) for each in value]
    return named(value) if isinstance(value, str) else value


def named(text: str) -> str:
    """A text, where it is a path its last name: `file:/home/me/notes.txt` -> `file:notes.txt`."""
    found = PATH.fullmatch(text)
    if found is None:
        return text
    form = PureWindowsPath if re.match(r"[A-Za-z]:|\\", found["path"]) else PurePosixPath
    return found["form"] + form(found["path"]).name
