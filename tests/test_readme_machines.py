"""What is said of several machines works: a loop stands in for Slurm, a cache for a workstation."""

import os
import re
import shlex
import shutil
from pathlib import Path

import pytest

from core.cli import main
from core.store import Store
from tests import tiny
from tests.bench.tables import README
from tests.core.jobs.test_shares import numbers

DOCS = README.parent / ".github/docs/scale-out.md"
LINES = re.findall(r"^(one|two)\$ (.*)$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
[ARRAY] = re.findall(r"^sbatch .*$", README.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture
def undivided(tmp_path, empty_cache, monkeypatch):
    """A folder with study.toml, and the numbers of that study from one machine."""
    monkeypatch.chdir(tmp_path)
    source = f'source = "{tiny.text_file(tmp_path)}"\nlength = 12\n'
    study = f'model = "{tiny.folder("llama")}"\ntargets = [0.5]\nsettings = ["uniform", "depth_ramp beta=0.05"]\n'
    study += f"[calibration]\n{source}sequences = 2\n[evaluation]\n{source}windows = 4\n"
    Path("study.toml").write_text(study)
    assert main(["study", "study.toml", "--device", "cpu", "--cache", "here"]) == 0
    return numbers(Store(tmp_path / "here"))


def run(words):
    device = ["--device", "cpu"] if words[0] == "study" else []
    assert main([*words, *device]) == 0


def test_two_workstations(undivided, tmp_path, monkeypatch):
    assert [line.split()[0] for _, line in LINES] == ["python", "python", "rsync", "python"]
    for who, line in LINES:
        monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path / who))
        if line.startswith("rsync"):
            shutil.copytree(tmp_path / "two", tmp_path / "one", dirs_exist_ok=True)
        else:
            run(shlex.split(line)[3:])
    assert numbers(Store(tmp_path / "one")) == undivided


def test_an_array(undivided, tmp_path, monkeypatch):
    words = shlex.split(ARRAY)
    first, last = next(word for word in words if word.startswith("--array=")).partition("=")[2].split("-")
    for number in range(int(first), int(last) + 1):
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", str(number))
        line = os.path.expandvars(words[-1]).replace("/shared/cache", str(tmp_path / "shared"))
        run(shlex.split(line.removeprefix("python -m core ")))
    assert numbers(Store(tmp_path / "shared")) == undivided
