"""What every fuzz test asks: a result or one clear sentence, soon, and in little memory."""

import os
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
from hypothesis import HealthCheck, settings

from core.base import UserError

SECONDS = 20
MEMORY = 2**30  # bytes that an answer may add to the process
fuzz = settings(
    max_examples=int(os.environ.get("FUZZ", 15)),  # a small corpus among the tests; `make fuzz` runs thousands
    derandomize="FUZZ" not in os.environ,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)


def answered(act):
    """The result of `act`, or None where it refuses in one sentence; anything else is a finding."""
    with bounded():
        try:
            return act()
        except UserError as error:
            judge(str(error))
            return None


@contextmanager
def bounded():
    """Fail where the block takes too long or too much memory."""
    began, before = time.monotonic() - _waited(), psutil.Process().memory_info().rss
    yield
    assert time.monotonic() - _waited() - began < SECONDS
    assert psutil.Process().memory_info().rss - before < MEMORY


def _waited():
    """Seconds that this thread stood ready while others had the processor, where the system tells."""
    told = Path("/proc/thread-self/schedstat")
    return int(told.read_text().split()[1]) / 1e9 if told.exists() else 0.0


def judge(said):
    """One sentence that a person can read."""
    assert 10 < len(said) < 700 and said.strip() == said, said
    assert "\n" not in said and "Traceback" not in said, said
