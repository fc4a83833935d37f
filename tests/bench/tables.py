"""The README's table of results, from the committed studies: `python -m tests.bench.tables` writes it."""

import re
from dataclasses import replace
from pathlib import Path

from core.results import rows_of, study_table
from core.show.report import best, questions

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


def with_trained(answer):
    """An answer with the lowest perplexity of trained weights at each target too, judged on the same windows."""
    trained = questions.committed("recovered")
    assert trained.spec.text == answer.study.spec.text
    rows = list(answer.table.rows)
    for target in answer.targets:
        lowest = best(one for one in trained.settings if one.target == target)
        rows += rows_of(trained, [lowest])
    rows.sort(key=lambda row: row.one.target)
    return replace(
        answer, table=study_table.study_table(rows, {answer.question.against: answer.question.control(answer.study)})
    )


def written(text):
    """A text with what stands between the marks of the table made anew."""
    table = answered(with_trained(questions.answer(NAME)))
    first, last = f"<!-- {NAME} -->\n", f"<!-- end of {NAME} -->"
    return re.sub(f"{first}.*?{last}", lambda _: first + table + last, text, flags=re.DOTALL)


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
