"""Adding a kind is one new file and one row: both are written into a copy of the program, and then looked for."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
COPIED = ("core", "pages", "tests")
WORK = "WORK = {  # kind of a job -> function of request and context that returns the stored entry"


class Addition(NamedTuple):
    """A file, and a row after the head of a table, with its import."""

    source: str
    file: str
    table: str
    head: str
    row: str
    imported: str

    def write(self, root):
        """Add both to a copy."""
        shutil.copy(HERE / "added" / self.source, root / self.file)
        table = root / self.table
        lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
        lines.insert(lines.index(f"{self.head}\n") + 1, f"    {self.row},\n")
        lines.insert(next(i for i, line in enumerate(lines) if line.startswith("from core.")), f"{self.imported}\n")
        table.write_text("".join(lines), encoding="utf-8")


ADDITIONS = {
    "allocator": Addition(
        "allocator.py", "core/methods/teeth.py", "core/methods/__init__.py", "ALLOCATORS = (", "Teeth",
        "from core.methods.teeth import Teeth",
    ),
    "pruner": Addition(
        "pruner.py", "core/methods/diagonal.py", "core/methods/pruners.py", "PRUNERS = {",
        '"diagonal": PrunerRow("Diagonal", diagonal, "second_moment", "Least squares.", "w^2")',
        "from core.methods.diagonal import diagonal",
    ),
    "perturbation": Addition(
        "perturbation.py", "core/methods/shrink.py", "core/methods/__init__.py", "PERTURBATIONS = (", "Shrink",
        "from core.methods.shrink import Shrink",
    ),
    "currency": Addition(
        "currency.py", "core/methods/bytes.py", "core/methods/__init__.py", "BUDGET_UNITS = (", "BYTES",
        "from core.methods.bytes import BYTES",
    ),
    "chart": Addition(
        "chart.py", "core/show/figures/influence.py", "core/show/figures/charts.py", "CHARTS = (",
        'ChartRow("influence", DRIFT, "Which layers change most?", influence)',
        "from core.show.figures.influence import influence",
    ),
    "request": Addition(
        "request.py", "core/requests/count.py", "core/requests/jobs.py", "JOBS = (",
        'JobRow("count", CountRequest, CountSpec, listed="counts")',
        "from core.requests.count import CountRequest, CountSpec",
    ),
    "job": Addition(
        "job.py", "core/jobs/count.py", "core/jobs/execute.py", WORK, '"count": count',
        "from core.jobs.count import count",
    ),
}  # fmt: skip


def test_a_copy_with_one_more_of_each_kind_shows_them(tmp_path):
    without = shutil.ignore_patterns("__pycache__", "studies", "e2e")
    for folder in COPIED:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=without)
    for addition in ADDITIONS.values():
        addition.write(tmp_path)
    line = [sys.executable, "-m", "pytest", "-qc/dev/null", "--import-mode=importlib", "tests/extending/probe.py"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout[-4000:]


@pytest.mark.parametrize("kind", ADDITIONS)
def test_no_addition_needs_more_than_a_file_and_a_row(kind):
    addition = ADDITIONS[kind]
    assert not (ROOT / addition.file).exists()
    assert "\n" not in addition.row
    assert (ROOT / addition.table).read_text(encoding="utf-8").count(addition.head) == 1
