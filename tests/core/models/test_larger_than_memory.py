"""A checkpoint that memory does not hold is measured, pruned, repaired and exported all the same."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.export import load_back
from core.jobs import execute
from core.lab import ModelServer
from core.models import placement
from core.store import Store
from tests import tiny
from tests.builders.requests import export, measurement, recipe
from tests.faulty import rewritten

PROJECT = Path(__file__).resolve().parents[3]
LIMIT = 600 * 2**20  # bytes of data that the process may hold; Python and its libraries take 430 MiB of them
TIMES = 4
LAYER = 4 * (12 * 640**2 + 2 * 640)  # bytes of one
PATIENCE = 3600  # seconds for the command
LEAN = {  # what allocators reserve and never fill would count as data
    "OMP_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_MMAP_THRESHOLD_": "1048576",
}  # fmt: skip
LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_DATA, ({limit}, {limit}))
from pathlib import Path
from core import experiment
from core.requests import MeasureRequest
from core.store.cache import Store
experiment.get(MeasureRequest.model_validate_json(sys.argv[1]), Store(Path(sys.argv[2])))
"""


def test_the_numbers_and_the_export_are_those_of_a_model_that_fits(empty, tmp_path, text, monkeypatch):
    other = rewritten(tmp_path / "other", lambda name, each: 1.05 * each if "layers.2" in name else each)
    measure = measurement(text, "gaussian:0.3", "residual:wanda:0.7", f"checkpoint:{other}")
    folders, units = [], []
    for free in (None, 1):
        store = Store(tmp_path / f"cache {free}")
        if free:
            monkeypatch.setattr(placement, "free_memory", lambda _: 1)
        profile = execute.get(measure, store)
        units.append([store.load(unit) for unit in profile.spec.units])
        folders.append(tmp_path / f"export {free}")
        execute.get(export(text, folders[-1], recipe(repair="refit")), store)
    for one, other in zip(*units, strict=True):
        tiny.assert_close(one, other)
    assert tiny.same(*(load_back(folder)[0].state_dict() for folder in folders))
    assert len(list(folders[1].glob("*.safetensors"))) == tiny.LAYERS + 1


def test_the_lab_refuses_it(no_demo, monkeypatch, refused):
    monkeypatch.setattr(placement, "free_memory", lambda _: 1)
    with refused("larger than the memory", "lab"):
        ModelServer(str(tiny.folder("llama")))


@pytest.mark.slow
@pytest.mark.timeout(PATIENCE)
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the data of a process")
def test_a_checkpoint_four_times_the_limit(tmp_path, text):
    """All layers pass through the memory of a process that may hold a quarter of them."""
    model = tiny.llama(tmp_path / "model", width=640, layers=TIMES * LIMIT // LAYER + 1)
    assert sum(path.stat().st_size for path in model.glob("*.safetensors")) >= TIMES * LIMIT
    measure = measurement(text, "residual:wanda:0.7", model=model, sequences=1)
    code, cache = LIMITED.format(limit=LIMIT), tmp_path / "cache"
    done = subprocess.run(
        [sys.executable, "-c", code, measure.model_dump_json(), str(cache)],
        capture_output=True, text=True, cwd=PROJECT, env={**os.environ, **LEAN}, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert Store(cache).find(measure)
