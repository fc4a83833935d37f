"""The README's tables of what there is of each kind are those that the program reads."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import kinds


def test_the_tables_are_up_to_date() -> None:
    text = kinds.README.read_text(encoding="utf-8")
    assert kinds.written(text) == text, "write them anew with python -m tests.bench.kinds"


def test_a_text_without_a_place_for_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for perturbations"):
        kinds.written("no marks")


@pytest.mark.parametrize("block", range(2))
def test_what_is_said_for_python_works(block: int, tmp_path: Path) -> None:
    """As it stands, in a process of its own; the charts without Streamlit and without torch."""
    code = re.findall(r"```python\n(.*?)```", kinds.README.read_text(encoding="utf-8"), re.DOTALL)[block]
    if block:
        code += "\nimport sys\nassert not {'streamlit', 'torch', 'transformers'} & set(sys.modules)\n"
    run = [sys.executable, "-c", code]
    there = {**os.environ, "PYTHONPATH": str(kinds.README.parent)}
    done = subprocess.run(run, cwd=tmp_path, env=there, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.strip(), done.stderr
