"""What is told of a run's memory before it is what its process then holds, within a factor of two."""

import os
import subprocess
import sys

import pytest

from core.jobs import PROJECT, cost
from core.requests import EvaluationRequest, Recipe, StudyRequest, WindowRequest
from core.store import Store
from tests import tiny
from tests.builders.requests import measurement

ALONE = {"OMP_NUM_THREADS": "1"}
CHILD = """
import resource, sys
from pathlib import Path
from core.jobs import execute
from core.jobs.records import REQUESTS
from core.store.cache import Store
execute.get(REQUESTS["{kind}"].model_validate_json(sys.argv[1]), Store(Path(sys.argv[2])))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def pruning(model, length):
    text, judged = (WindowRequest(source=half, sequences=8, length=length) for half in ("demo", "demo:evaluation"))
    return StudyRequest(model=model, settings=(Recipe(),), calibration=text, evaluation=EvaluationRequest(text=judged))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Eight layers, 512 wide, 35 million random weights."""
    return str(tiny.llama(tmp_path_factory.mktemp("middle"), width=512, layers=8, vocabulary=8192))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak in KiB")
@pytest.mark.parametrize(
    "asked",
    [
        lambda model: measurement("demo", "gaussian:0.3", "residual:wanda:0.7", "skip", model=model, length=64),
        lambda model: measurement("demo", "gaussian:0.3", model=model, length=512),
        lambda model: pruning(model, 256),
    ],
)
def test_the_memory_told_is_right_within_a_factor_of_two(asked, model, tmp_path):
    asked = asked(model)
    told = cost.estimate(asked, Store(tmp_path)).memory
    child = [sys.executable, "-c", CHILD.format(kind=type(asked).__name__), asked.model_dump_json(), str(tmp_path)]
    done = subprocess.run(child, cwd=PROJECT, capture_output=True, text=True, env=os.environ | ALONE)
    assert done.returncode == 0, done.stderr
    assert 0.5 < told / (1024 * int(done.stdout.splitlines()[-1])) < 2
