"""What a machine has: memory that the limits of its container leave, and a processor's arithmetic."""

import pytest

from core.models import container_limits, machine


def group(root, path, limit, taken, files=0):
    """Write what the system tells of a group, whose copies of files are half active."""
    inside = root / "sys/fs/cgroup" / path.strip("/")
    inside.mkdir(parents=True, exist_ok=True)
    (inside / "memory.max").write_text(f"{limit}\n")
    (inside / "memory.current").write_text(f"{taken}\n")
    (inside / "memory.stat").write_text(f"active_file {files // 2}\ninactive_file {files - files // 2}\n")


def belongs(root, path):
    """Let the process be in a group."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(f"0::{path}\n")


def test_a_limit_leaves_what_is_not_taken_but_by_copies_of_files(tmp_path):
    belongs(tmp_path, "/pod/box")
    group(tmp_path, "/pod/box", 1000, 700, files=301)
    assert container_limits(tmp_path) == [601]
    group(tmp_path, "/pod/box", 1000, 1200)
    group(tmp_path, "/pod", 500, 200)
    assert container_limits(tmp_path) == [0, 300], "the groups above bound it too"


@pytest.mark.parametrize("path", ["/docker/abc", "/../other"])
def test_a_container_that_sees_its_group_as_the_root_is_bounded(path, tmp_path):
    belongs(tmp_path, path)
    group(tmp_path, "/", 900, 400)
    assert container_limits(tmp_path) == [500]


def test_nothing_bounds_where_there_are_no_groups_or_no_files(tmp_path):
    assert container_limits(tmp_path) == []
    belongs(tmp_path, "/box")
    assert container_limits(tmp_path) == []
    group(tmp_path, "/box", "max", 100)
    assert container_limits(tmp_path) == []
    (tmp_path / "sys/fs/cgroup/box/memory.max").write_text("1000")
    (tmp_path / "sys/fs/cgroup/box/memory.current").unlink()
    assert container_limits(tmp_path) == []


def test_only_a_processor_alone_that_says_so_lacks_bfloat16(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "CPU", tmp_path / "cpuinfo")
    monkeypatch.setattr(machine, "devices", lambda: ("cpu",))
    assert not machine.emulates_bfloat16()
    machine.CPU.write_text("flags : fpu sse avx2\n")
    assert machine.emulates_bfloat16()
    monkeypatch.setattr(machine, "devices", lambda: ("cuda", "cpu"))
    assert not machine.emulates_bfloat16()
