"""The README's tables of what there is of each kind, written from the tables that the program reads.

python -m tests.bench.kinds        # writes them into the README
"""

from __future__ import annotations

from core.ask.jobs import JOBS
from core.base.spec import number
from core.kinds import BASES, FORMS
from core.kinds.allocator import Allocator
from core.kinds.treatments import PRUNERS
from core.show.figures.charts import CHARTS
from tests.bench import beside, spread
from tests.bench.marked import table, write

LOOKS_AT = {"none": "weights alone", "norm": "norms of the inputs", "second_moment": "second moments of the inputs"}


def tables() -> dict[str, str]:
    """Name -> Markdown."""
    return {
        "perturbations": table(
            ("perturbation", "what is done to the output of the injection layer"),
            ((f"`{form.example}`", form.about) for form in FORMS.values()),
        ),
        "allocators": table(
            ("allocation", "what it does", "paper"),
            ((f"`{_example(form)}`", form.about, form.paper) for form in BASES.values() if not form.by_hand),
        ),
        "pruners": table(
            ("pruner", "what it does", "looks at", "paper"),
            ((f"`{name}`", row.about, LOOKS_AT[row.statistic], row.paper) for name, row in PRUNERS.items()),
        ),
        "charts": table(("chart", "question"), ((row.group, row.question) for row in CHARTS)),
        "jobs": table(("job", "what it does"), ((f"`{row.kind}`", row.about) for row in JOBS)),
        "other checkpoints": beside.table_of_checkpoints(),
        "a large model on many GPUs": spread.table_of_gpus(),
    }


def _example(form: type[Allocator]) -> str:
    """A setting with all that a page can set, as it is written."""
    usual = form()
    values = ((each.name, getattr(usual, each.name)) for each in form.parameters())
    pairs = (f"{name}={number(value) if isinstance(value, float) else value}" for name, value in values)
    return " ".join((usual.kind, *pairs))


if __name__ == "__main__":
    write(tables())
