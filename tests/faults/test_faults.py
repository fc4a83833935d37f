"""A few of the faults that `make faults` tries all of, in a process of their own: it forks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(1200)  # a fork a run, which a busy machine takes long for
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize(("command", "every"), [("measure", 120), ("export", 48)])
def test_nothing_is_lost_by_a_kill(command, every):
    asked = [sys.executable, "-m", "tests.faults", command, "--every", str(every), "--kills"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
