"""The README's tables are those that the program's own tables and the committed studies make."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bench import kinds, tables
from tests.bench.marked import README, written


@pytest.mark.parametrize(
    ("made", "command"), [(kinds.tables, "kinds"), (lambda: tables.tables(tables.committed()), "tables")]
)
def test_the_tables_are_up_to_date(made: Callable[[], dict[str, str]], command: str) -> None:
    text = README.read_text(encoding="utf-8")
    assert written(text, made()) == text, f"write them anew with python -m tests.bench.{command}"


def test_a_text_without_a_place_for_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for perturbations"):
        written("no marks", {"perturbations": ""})


@pytest.mark.parametrize("block", range(2))
def test_what_is_said_for_python_works(block: int, tmp_path: Path) -> None:
    """As it stands, in a process of its own; the charts without Streamlit and without torch."""
    code = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[block]
    if block:
        code += "\nimport sys\nassert not {'streamlit', 'torch', 'transformers'} & set(sys.modules)\n"
    run = [sys.executable, "-c", code]
    there = {**os.environ, "PYTHONPATH": str(README.parent)}
    done = subprocess.run(run, cwd=tmp_path, env=there, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.strip(), done.stderr
