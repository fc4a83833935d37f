"""Memory that the limits of a container leave, read from the files of its control groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.models.machine import in_container

FILES = {
    1: ("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
    2: ("sys/fs/cgroup", "memory.max", "memory.current", ""),
}
UNLIMITED = {1: "9223372036854771712", 2: "max"}
LINES = {1: "5:cpu,cpuacct:{path}\n4:memory:{path}\n0::/\n", 2: "0::{path}\n"}


def group(root: Path, version: int, path: str, limit: int | None, taken: int, files: int = 0) -> None:
    """Write what the system tells of a group, whose copies of files are half active."""
    folder, most, used, prefix = FILES[version]
    inside = root / folder / path.strip("/")
    inside.mkdir(parents=True, exist_ok=True)
    (inside / most).write_text(f"{UNLIMITED[version] if limit is None else limit}\n")
    (inside / used).write_text(f"{taken}\n")
    named = {"active_file": files // 2, "inactive_file": files - files // 2}
    (inside / "memory.stat").write_text("".join(f"{prefix}{name} {value}\n" for name, value in named.items()))


def belongs(root: Path, version: int, path: str) -> None:
    """Let the process be in a group."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(LINES[version].format(path=path))


@pytest.mark.parametrize("version", FILES)
def test_a_limit_leaves_what_is_not_taken_but_by_copies_of_files(version: int, tmp_path: Path) -> None:
    belongs(tmp_path, version, "/box")
    group(tmp_path, version, "/box", 1000, 700, files=301)
    assert in_container(tmp_path) == [601]
    group(tmp_path, version, "/box", 1000, 1200)
    assert in_container(tmp_path) == [0]


@pytest.mark.parametrize("version", FILES)
def test_the_groups_above_bound_a_group_too(version: int, tmp_path: Path) -> None:
    belongs(tmp_path, version, "/pod/box")
    group(tmp_path, version, "/pod/box", None, 100)
    group(tmp_path, version, "/pod", 500, 200)
    assert min(in_container(tmp_path)) == 300


@pytest.mark.parametrize("version", FILES)
@pytest.mark.parametrize("path", ["/docker/abc", "/../other"])
def test_a_container_that_sees_its_group_as_the_root_is_bounded(version: int, path: str, tmp_path: Path) -> None:
    belongs(tmp_path, version, path)
    group(tmp_path, version, "/", 900, 400)
    assert in_container(tmp_path) == [500]


def test_nothing_bounds_where_there_are_no_groups_or_no_files(tmp_path: Path) -> None:
    assert in_container(tmp_path) == []
    belongs(tmp_path, 2, "/box")
    assert in_container(tmp_path) == []
    group(tmp_path, 2, "/box", None, 100)
    assert in_container(tmp_path) == []
    (tmp_path / "sys/fs/cgroup/box/memory.max").write_text("1000")
    (tmp_path / "sys/fs/cgroup/box/memory.current").unlink()
    assert in_container(tmp_path) == []
