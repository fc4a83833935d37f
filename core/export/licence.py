"""Under which licence a model's own files say they come."""

from __future__ import annotations

import re
from pathlib import Path

from core.models.sources import Source

FRONT_MATTER = re.compile(r"\A\s*---\s*\n(.*?)\n---\s*(?:\n|\Z)", re.DOTALL)
TEXTS = {
    "apache-2.0": re.compile(r"\A\s*Apache License\s+Version 2\.0", re.IGNORECASE),
    "mit": re.compile(r"\A\s*(?:The )?MIT License", re.IGNORECASE),
}
TEXT_FILES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "LICENCE.txt", "LICENCE.md")
NO_NAME = {"", "other", "unknown", "none", "null"}


def licence_of(source: Source) -> str | None:
    """The licence that the source's files declare, in lower case as the Hub writes it, or None where they do not.

    Asked in this order: the metadata of a GGUF file, the front matter of README.md, the first lines of a licence text.
    A custom licence (`license: other`) is given by its own name.
    """
    declared = (
        _in_gguf(source.folder / source.gguf) if source.gguf else None,
        _in_readme(source.folder / "README.md"),
        *(_in_text(source.folder / name) for name in TEXT_FILES),
    )
    return next((licence for licence in declared if licence), None)


def _in_gguf(path: Path) -> str | None:
    from gguf import GGUFReader

    fields = GGUFReader(path).fields
    return _named(
        *(str(fields[key].contents()) for key in ("general.license", "general.license.name") if key in fields)
    )


def _in_readme(path: Path) -> str | None:
    front = FRONT_MATTER.match(_read(path))
    return _named(_value(front[1], "license"), _value(front[1], "license_name")) if front else None


def _in_text(path: Path) -> str | None:
    text = _read(path)
    return next((licence for licence, beginning in TEXTS.items() if beginning.match(text)), None)


def _value(front: str, key: str) -> str:
    """A scalar of the front matter, or the first item of a list."""
    found = re.search(rf"^{key}:[ \t]*(?:\n[ \t]*-[ \t]+)?([^\n#]*)", front, re.MULTILINE)
    return found[1].strip().strip("\"'") if found else ""


def _named(*values: str) -> str | None:
    return next((value.lower() for value in values if value.lower() not in NO_NAME), None)


def _read(path: Path) -> str:
    if not path.is_file():
        return ""
    return path.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n")
