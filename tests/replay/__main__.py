"""`python -m tests.replay COMMIT`: the same requests on a commit and on the working tree; every figure is compared.

Exit 0: all are equal. 1: some differ, and are printed. 2: there is nothing to compare with, or a side failed.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.replay.compare import report

ROOT = Path(__file__).resolve().parents[2]
ALONE = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}


def main(base):
    """Compare the working tree with a commit; the exit code."""
    try:
        said, alike = report(*_both(_git("rev-parse", "--verify", f"{base}^{{commit}}")))
    except subprocess.CalledProcessError as error:
        print(error, file=sys.stderr)
        return 2
    print(said)
    return 0 if alike else 1


def _both(commit):
    """The figures of a commit and of the working tree, measured beside each other."""
    with tempfile.TemporaryDirectory(prefix="replay-") as folder:
        there, sides = Path(folder) / "base", []
        _git("worktree", "add", "--detach", str(there), commit)
        try:
            sides = [_start(checkout, Path(folder) / name) for checkout, name in ((there, "before"), (ROOT, "after"))]
            after, before = (_figures(*each) for each in reversed(sides))  # a change breaks its own side
            return before, after
        finally:
            for process, _ in sides:
                process.kill()
                process.wait()
            _git("worktree", "remove", "--force", str(there))


def _git(*words):
    return subprocess.run(["git", *words], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def _start(checkout, scratch):
    """Run a checkout's own probe on its own product: one process, one thread for the arithmetic."""
    known = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    file = scratch.with_suffix(".json")
    scratch.mkdir()
    words = [sys.executable, "-m", "tests.replay.probe", str(scratch), str(file)]
    return subprocess.Popen(words, cwd=checkout, env=known | ALONE), file


def _figures(process, file):
    if process.wait():
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return json.loads(file.read_bytes())


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
