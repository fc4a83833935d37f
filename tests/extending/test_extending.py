"""Adding a kind is one new file and one row: both are written into a copy of the program, and then looked for."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
COPIED = ("core", "pages", "tests")
WORK = "WORK = {  # kind of a job -> function of request and context that returns the stored entry"

pytestmark = pytest.mark.xdist_group("extending")  # the copy is made and looked at once


@dataclass(frozen=True)
class Addition:
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


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What a copy with one more of each kind shows of them."""
    root = tmp_path_factory.mktemp("extended")
    for folder in COPIED:
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__", "studies", "e2e"))
    for addition in ADDITIONS.values():
        addition.write(root)
    done = subprocess.run(
        [sys.executable, "-m", "tests.extending.probe"], cwd=root, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_an_allocator(seen):
    found = seen["allocator"]
    assert found["command"] == pytest.approx([0.45, 0.55, 0.45, 0.55])
    assert "Teeth" in found["options"] and found["slider"] == 0.1
    assert {"teeth bite=0.05:0.5", "teeth bite=0.1:0.5"} <= set(seen["candidates"])
    assert seen["glossary"]["teeth"] == "An allocation that prunes every second layer less."


def test_a_pruner_that_needs_second_moments(seen):
    found = seen["pruner"]
    assert found["achieved"] == pytest.approx(0.5, abs=0.03) and found["perplexity"] > 1
    assert found["page"] == "diagonal"
    assert found["calibrated"] and found["warnings"] == []
    assert len(seen["perturbation"]["command"]["residual:diagonal:0.5"]) == 4
    assert "Pruned by Diagonal, 50 % zeros" in seen["perturbation"]["options"]
    assert seen["glossary"]["Diagonal"] == "Least squares."


def test_a_perturbation(seen):
    found = seen["perturbation"]
    assert len(found["command"]["shrink:0.1"]) == 4 and found["command"]["shrink:0.1"][-1] == pytest.approx(1)
    assert "Stream shortened by 0.1" in found["options"]
    assert found["said"].endswith(": Stream shortened by 0.1.")
    assert seen["glossary"]["shrink"] == "The stream made shorter by a given share."


def test_a_currency(seen):
    """A budget between its two levels gives each layer one of them."""
    assert sorted(seen["currency"]) == [0, 0, 0.5, 0.5]


def test_a_chart(seen):
    assert "How much does each layer change the stream?" in seen["chart"]


def test_a_kind_of_job(seen):
    found = seen["job"]
    assert found["weights"] > 1000 and found["found"] and found["command"]
    assert len(found["page"]) == 1 and len(found["stored"]) == 1


@pytest.mark.parametrize("kind", ADDITIONS)
def test_no_addition_needs_more_than_a_file_and_a_row(kind):
    addition = ADDITIONS[kind]
    assert not (ROOT / addition.file).exists()
    assert "\n" not in addition.row
    assert (ROOT / addition.table).read_text(encoding="utf-8").count(addition.head) == 1
