"""What the machine lacks, in a sentence."""

import errno
import os
import tempfile
from pathlib import Path

import pytest

from core.base import disk_full, out_of_memory, shortage


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
def test_it_is_one_sentence(error, word):
    said = shortage(error)
    assert word in said and "\n" not in said and not said.endswith(".")
    assert disk_full(error) == ("full" in said) and out_of_memory(error) == ("memory" in said)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="here nobody can become another user for a moment")
@pytest.mark.parametrize(
    ("mode", "act", "said"),
    [
        (0o000, lambda shut: list(shut.iterdir()), "{shut} cannot be read"),
        (0o000, lambda shut: (shut / "config.json").read_bytes(), "{shut} cannot be read"),
        (0o000, lambda shut: (shut / "deep" / "x").write_bytes(b""), "{shut} cannot be read"),
        (0o555, lambda shut: (shut / "x").write_bytes(b""), "{shut} cannot be written to"),
        (0o755, lambda shut: (shut / "closed").read_bytes(), "{shut}/closed cannot be read"),
    ],
)
def test_what_is_shut_is_named_and_how(mode, act, said):
    with tempfile.TemporaryDirectory() as folder:  # which everybody may enter, unlike the tests' own
        shut = Path(folder) / "shut"
        shut.mkdir()
        (shut / "closed").touch(0o000)
        Path(folder).chmod(0o755)
        shut.chmod(mode)
        assert as_nobody(lambda: act(shut)).startswith(said.format(shut=shut))
        shut.chmod(0o755)


def as_nobody(act):
    """What is said of the error of an act that a user without rights tries."""
    ours, theirs = os.pipe()
    if not os.fork():
        if os.getuid() == 0:
            os.setuid(65534)
        try:
            act()
        except OSError as error:
            os.write(theirs, (shortage(error) or "").encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as heard:
        return heard.read()


@pytest.mark.parametrize(
    "error",
    [RuntimeError("a bug"), FileNotFoundError(errno.ENOENT, "gone", "x"), PermissionError("by whom"), KeyError(1)],
)
def test_a_bug_is_none(error):
    assert shortage(error) is None
