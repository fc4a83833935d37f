"""The README's table of results, from the committed studies: `python -m tests.bench.tables` writes it."""

import re
from pathlib import Path

from core.show.report import questions

README = Path(__file__).resolve().parents[2] / "README.md"
NAME = "the lowest perplexity"


def markdown(heads, *rows):
    """A Markdown table, with the end of its last line."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def answered(found):
    """The table for readers, its sentences, and what measures it again."""
    command = f"`{found.question.command}` measures it again.\n"
    return "\n".join([markdown(*found.table.read.texts), *(f"{each}\n" for each in found.sentences), command])


def written(text):
    """A text with what stands between the marks of the table made anew."""
    table = answered(questions.answer(NAME))
    first, last = f"<!-- {NAME} -->\n", f"<!-- end of {NAME} -->"
    return re.sub(f"{first}.*?{last}", lambda _: first + table + last, text, flags=re.DOTALL)


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
