"""What the machine lacks, in a sentence."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from core.base.errors import disk_full, out_of_memory, shortage


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/cache/x"), "/cache cannot"),
        (OSError(errno.EFBIG, "File too large"), "full"),
        (RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"), "full"),
        (PermissionError(errno.EACCES, "Permission denied", "/cache/y"), "/cache cannot"),
        (OSError(errno.EROFS, "Read-only file system", "/cache/z"), "/cache cannot"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "/cache"), "/cache"),
        (FileExistsError(errno.EEXIST, "File exists", "/cache"), "/cache"),
        (MemoryError(), "memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."), "memory"),
        (RuntimeError("unable to mmap 9 bytes from file </m/a.safetensors>: Cannot allocate memory (12)"), "memory"),
    ],
)
def test_it_is_one_sentence(error: Exception, word: str) -> None:
    said = shortage(error)
    assert word in said and "\n" not in said and not said.endswith(".")
    assert disk_full(error) == ("full" in said) and out_of_memory(error) == ("memory" in said)


def test_a_cache_that_is_a_file_is_named_itself(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.touch()
    with pytest.raises(NotADirectoryError) as caught:
        (cache / "jobs" / "request.json").read_bytes()
    assert f"{cache} is in the way" in shortage(caught.value)


@pytest.mark.parametrize(
    "error",
    [RuntimeError("a bug"), FileNotFoundError(errno.ENOENT, "gone", "x"), PermissionError("by whom"), KeyError(1)],
)
def test_a_bug_is_none(error: Exception) -> None:
    assert shortage(error) is None
