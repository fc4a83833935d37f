"""What is deleted, and what a killed process left in a cache."""

import errno
import os
from pathlib import Path

import pytest

from core.base import UserError
from core.store import files, parts, write_file
from tests import synthetic

LAYERS = 3
GONE = 2**22 + 1  # above the greatest number that a process is given


@pytest.fixture
def keys(empty):
    """A long and a short profile that share units."""
    specs = {name: synthetic.profile_spec(LAYERS, 8, name) for name in ("standard", "quick")}
    return {name: synthetic.save_profile(empty.root, each) for name, each in specs.items()}


def units(store):
    return {path.stem for path in store.root.glob("*/[!.]*.safetensors")}


def by(pid, name):
    """The temporary name that a process would give."""
    return files.temporary_prefix(name).replace(f"-{os.getpid()}-", f"-{pid}-")


def test_a_killed_delete_is_finished_by_the_next_start(empty, keys, monkeypatch):
    entry = empty.profile(keys["standard"])
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "getpid", lambda: GONE)
        patch.setattr(parts, "_discard_units", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        parts.delete(empty, entry)
    assert [each.key for each in empty.entries()] == [keys["quick"]]
    parts.sweep(empty)
    short = empty.profile(keys["quick"])
    assert units(empty) == {short.key, *(unit.key for unit in short.spec.units)}
    assert not list(empty.root.rglob(".*"))


@pytest.mark.parametrize(("pid", "age", "stays"), [(GONE, 0, False), (os.getppid(), 0, True), (os.getppid(), 2, False)])
def test_only_what_nobody_works_on_is_swept(empty, pid, age, stays):
    left = empty.root / "jobs" / "0" / f"{by(pid, 'progress.json')}x"
    write_file(left, b"half")
    then = left.stat().st_mtime - age * files.DAY
    os.utime(left, (then, then))
    parts.sweep(empty)
    assert left.exists() == stays


def test_a_delete_that_cannot_be_done_says_so(empty, keys, say, monkeypatch):
    def closed(path, _):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "rename", closed)
    said = say("runs", "delete", keys["quick"], "--yes")
    assert (said.code, said.out) == (1, "") and len(said.err.splitlines()) == 1
    assert empty.profile(keys["quick"])


def test_entries_of_a_kind_that_is_gone_and_folders_of_earlier_versions_are_left_alone(empty, keys):
    old = empty.root / "writing" / "0123456789abcdef" / "spec.json"
    write_file(old, b'{"prompt": "Once"}')
    write_file(empty.root / "profile" / "0123456789abcdef" / "manifest.json", b"{}")
    parts.sweep(empty)
    assert old.is_file() and not empty.troubles()
    assert {each.key for each in empty.entries()} == set(keys.values())
    with pytest.raises(UserError, match="0123456789abcdef"):
        empty.by_key("0123456789abcdef")
