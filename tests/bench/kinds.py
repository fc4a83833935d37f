"""The README's tables of what there is of each kind, written from the tables that the program reads.

python -m tests.bench.kinds        # writes them into the README
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from core.allocation.allocator import Allocator
from core.figures.charts import CHARTS
from core.specs.allocations import BASES
from core.specs.base import number
from core.specs.jobs import JOBS
from core.specs.perturbations import FORMS
from core.specs.pruners import PRUNERS

README = Path(__file__).resolve().parents[2] / "README.md"
LOOKS_AT = {"none": "weights alone", "norm": "norms of the inputs", "second_moment": "second moments of the inputs"}


def main() -> None:
    """Write every table between its marks."""
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")


def written(text: str) -> str:
    """A text with what stands between `<!-- NAME -->` and `<!-- end of NAME -->` made anew."""
    for name, table in tables().items():
        marks = f"(<!-- {name} -->\n).*?(<!-- end of {name} -->)"
        if not re.search(marks, text, re.DOTALL):
            raise ValueError(f"the text has no place for {name}: add <!-- {name} --> and <!-- end of {name} -->")
        text = re.sub(marks, lambda found, table=table: f"{found[1]}{table}{found[2]}", text, flags=re.DOTALL)
    return text


def tables() -> dict[str, str]:
    """Name -> Markdown."""
    return {
        "perturbations": _table(
            ("perturbation", "what is done to the output of the injection layer"),
            ((f"`{form.example}`", form.about) for form in FORMS.values()),
        ),
        "allocators": _table(
            ("allocation", "what it does", "paper"),
            ((f"`{_example(form)}`", form.about, form.paper) for form in BASES.values() if not form.by_hand),
        ),
        "pruners": _table(
            ("pruner", "what it does", "looks at", "paper"),
            ((f"`{name}`", row.about, LOOKS_AT[row.statistic], row.paper) for name, row in PRUNERS.items()),
        ),
        "charts": _table(("chart", "question"), ((row.group, row.question) for row in CHARTS)),
        "jobs": _table(("job", "what it does"), ((f"`{row.kind}`", row.about) for row in JOBS)),
    }


def _example(form: type[Allocator]) -> str:
    """A setting with all that a page can set, as it is written."""
    usual = form()
    values = ((each.name, getattr(usual, each.name)) for each in form.parameters())
    pairs = (f"{name}={number(value) if isinstance(value, float) else value}" for name, value in values)
    return " ".join((usual.kind, *pairs))


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
