"""`python -m tests.replay COMMIT`: the same requests on a commit and on the working tree; every figure is compared.

Exit 0: all are equal. 1: some differ, and are printed. 2: there is nothing to compare with, or a side failed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.replay.compare import report

ROOT = Path(__file__).resolve().parents[2]
PROBE = "tests/replay/probe/__main__.py"


class Trouble(Exception):
    """Why there is no comparison, in one sentence."""


def main(arguments: list[str]) -> int:
    """Compare the working tree with a commit; the exit code."""
    if len(arguments) != 1 or not arguments[0]:
        print("name the commit to compare with, as in make replay BASE=HEAD", file=sys.stderr)
        return 2
    try:
        before, after = both(arguments[0])
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return 2
    said, alike = report(before, after)
    print(said)
    return 0 if alike else 1


def both(base: str) -> tuple[dict, dict]:
    """The figures of a commit and of the working tree, measured beside each other."""
    commit = _commit(base)
    with tempfile.TemporaryDirectory(prefix="replay-") as folder, _checkout(commit, Path(folder) / "base") as there:
        sides = {base: _start(there, Path(folder), "before"), "this tree": _start(ROOT, Path(folder), "after")}
        try:
            found = {name: _answer(name, *sides[name]) for name in reversed(sides)}  # a change breaks its own side
            return found[base], found["this tree"]
        finally:
            for process, _ in sides.values():
                process.kill()
                process.wait()


def _commit(base: str) -> str:
    """The whole hash of a commit that has a probe."""
    found = _git("rev-parse", "--verify", "--quiet", f"{base}^{{commit}}")
    if found.returncode:
        raise Trouble(f"there is no commit {base!r} here: name one, as in make replay BASE=HEAD")
    commit = found.stdout.strip()
    if _git("cat-file", "-e", f"{commit}:{PROBE}").returncode:
        raise Trouble(f"{base} has no {PROBE}, so its figures are not known: name a later commit")
    return commit


@contextmanager
def _checkout(commit: str, folder: Path) -> Iterator[Path]:
    made = _git("worktree", "add", "--detach", str(folder), commit)
    if made.returncode:
        raise Trouble(f"{commit} cannot be checked out: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        _git("worktree", "remove", "--force", str(folder))


def _git(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)


def _start(checkout: Path, folder: Path, side: str) -> tuple[subprocess.Popen, Path]:
    """Run a checkout's own probe on its own product: one process, one thread for the arithmetic."""
    known = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    alone = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    scratch, file = folder / side, folder / f"{side}.json"
    scratch.mkdir()
    words = [sys.executable, "-m", "tests.replay.probe", str(scratch), str(file)]
    with file.with_suffix(".txt").open("w", encoding="utf-8") as said:
        return subprocess.Popen(words, cwd=checkout, env=known | alone, stdout=said, stderr=said), file


def _answer(name: str, process: subprocess.Popen, file: Path) -> dict:
    if process.wait():
        told = file.with_suffix(".txt").read_text(encoding="utf-8").strip()
        raise Trouble(f"{told}\nthe probe of {name} failed, as it says above")
    return json.loads(file.read_bytes())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
