"""The README's table of results, from the committed studies: `python -m tests.bench.tables` writes it."""

from __future__ import annotations

import re
from pathlib import Path

from core.show.report import questions

README = Path(__file__).resolve().parents[2] / "README.md"
NAME = "the lowest perplexity"


def written(text: str) -> str:
    """A text with what stands between the marks of the table made anew."""
    first, last = f"<!-- {NAME} -->\n", f"<!-- end of {NAME} -->"
    return re.sub(f"{first}.*?{last}", lambda _: first + questions.answer(NAME).markdown + last, text, flags=re.DOTALL)


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
