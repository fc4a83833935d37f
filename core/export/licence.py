"""Under which licence a model's own files say they come."""

from __future__ import annotations

import re
from pathlib import Path

from yaml import YAMLError

from core.models.sources import Source

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
    from huggingface_hub import metadata_load

    try:
        told = metadata_load(path) or {}
    except (OSError, ValueError, YAMLError, RecursionError):  # none, or front matter that the Hub would not read either
        return None
    return _named(*(_first(told.get(name)) for name in ("license", "license_name")))


def _in_text(path: Path) -> str | None:
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    return next((licence for licence, beginning in TEXTS.items() if beginning.match(text)), None)


def _first(value: object) -> str:
    """Of several licences the first; empty for what is no name."""
    first = value[0] if isinstance(value, list) and value else value
    return first if isinstance(first, str) else ""


def _named(*values: str) -> str | None:
    return next((value.lower() for value in values if value.lower() not in NO_NAME), None)
