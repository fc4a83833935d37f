"""What is remembered of a file holds as long as the file stays as it was, and what is remembered too."""

import os

import pytest

from core.store import file_hash, remembered, sha256, write_note


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"one")
    return path


def test_other_weights_of_equal_size_and_time_are_noticed(empty, file):
    before, status = file_hash(empty.root, file), file.stat()
    file.write_bytes(b"two")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert file.stat().st_mtime_ns == status.st_mtime_ns and file.stat().st_ino == status.st_ino
    assert file_hash(empty.root, file) == sha256(file) != before


def test_a_changed_memory_is_not_believed(empty, file):
    found = file_hash(empty.root, file)
    [note] = (empty.root / "remembered").iterdir()
    note.write_text(note.read_text().replace(found, "0" * len(found)))
    assert file_hash(empty.root, file) == found


@pytest.mark.parametrize("value", [1.5, {"file": 0}, None])
def test_a_note_that_was_copied_over_another_is_absent(empty, file, value):
    """Whatever it says, as the shapes of the same file's tensors in place of its hash."""
    found = file_hash(empty.root, file)
    [note] = (empty.root / "remembered").iterdir()
    if value is None:
        remembered(empty.root, file, "shapes", lambda _: {"a": [1]})
        [other] = (empty.root / "remembered").glob("shapes*")
    else:
        write_note(other := empty.root / "remembered" / "seconds.json", value)
    note.write_bytes(other.read_bytes())
    assert file_hash(empty.root, file) == found
