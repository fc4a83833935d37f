"""Tables of the README that are made, each between its marks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from core.results.study_table import markdown as table

__all__ = ["README", "table", "write", "written"]

README = Path(__file__).resolve().parents[2] / "README.md"


def write(tables: Mapping[str, str]) -> None:
    """Write tables into the README."""
    README.write_text(written(README.read_text(encoding="utf-8"), tables), encoding="utf-8", newline="\n")


def written(text: str, tables: Mapping[str, str]) -> str:
    """A text with what stands between `<!-- NAME -->` and `<!-- end of NAME -->` made anew.

    Raises:
        ValueError: it has no place for one of them.
    """
    for name, made in tables.items():
        marks = f"(<!-- {name} -->\n).*?(<!-- end of {name} -->)"
        if not re.search(marks, text, re.DOTALL):
            raise ValueError(f"the text has no place for {name}: add <!-- {name} --> and <!-- end of {name} -->")
        text = re.sub(marks, lambda found, made=made: f"{found[1]}{made}{found[2]}", text, flags=re.DOTALL)
    return text
