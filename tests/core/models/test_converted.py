"""A converted copy of a GGUF is what the GGUF itself gives, bit by bit; whatever befalls it, the GGUF is read again."""

from pathlib import Path

import numpy as np
import pytest

from core.models import loading, locate, saving
from core.store import Store
from tests import gguf_files, tiny


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    made = tmp_path_factory.mktemp("gguf") / "small.gguf"
    gguf_files.write(made)
    return made


@pytest.fixture
def source(path, empty):
    return locate(str(path), empty)


def assert_same(found, expected):
    assert (found.spec, found.source, found.tokenizer_hash) == (expected.spec, expected.source, expected.tokenizer_hash)
    assert tiny.same(found.model.state_dict(), expected.model.state_dict())
    for text in ("The heron, 3 fish;", " Öl 🙂\n\nend"):
        assert found.tokenizer(text)["input_ids"] == expected.tokenizer(text)["input_ids"]


def copies(store):
    return sorted((store.root / "converted").glob("*")) if (store.root / "converted").is_dir() else []


KINDS = [("llama", kind) for kind in ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1")]


@pytest.mark.parametrize(("family", "kind"), [*KINDS, ("qwen2", "Q8_0"), ("gemma2", "Q8_0"), ("starcoder2", "Q8_0")])
def test_a_quantisation_is_read_as_the_weights_it_stands_for(family, kind, tmp_path, empty):
    """But for the rounding of a gemma's norms, which are stored plus 1; the tokenizer too."""
    meant = gguf_files.write(tmp_path / "any.gguf", family, kind)
    loaded = loading.load(locate(str(tmp_path / "any.gguf"), empty))
    state = loaded.model.state_dict()
    assert state.keys() == meant.keys()
    for name, value in meant.items():
        np.testing.assert_allclose(state[name], value, rtol=0, atol=1e-7, err_msg=name)
    assert loaded.tokenizer(tiny.SENTENCES[0])["input_ids"] == tiny.tokenizer()(tiny.SENTENCES[0])["input_ids"]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_copy_is_read_and_is_what_the_file_gives(dtype, source, empty, monkeypatch):
    loading.load(source, "float32", empty)
    folder = saving.find_copy(source, empty)
    assert copies(empty) == [folder]
    read, folders = loading.read, []
    monkeypatch.setattr(loading, "read", lambda files, *given: folders.append(files.folder) or read(files, *given))
    assert_same(loading.load(source, dtype, empty), loading.load(source, dtype))
    assert folders == [folder, source.folder]


def written(folder):
    for name in ("model.safetensors", "tokenizer.json"):
        (folder / name).write_bytes(b"copied" * 20)


def _flipped(file):
    content = bytearray(file.read_bytes())
    content[-9] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("name", ["model.safetensors", "manifest.json"])
@pytest.mark.parametrize("damage", [Path.unlink, _flipped])
def test_a_damaged_copy_is_none(damage, name, source, empty):
    saving.write_copy(source, empty, written)
    damage(saving.find_copy(source, empty) / name)
    assert saving.find_copy(source, empty) is None and copies(empty) == []


def test_a_cache_that_cannot_be_written_is_done_without(path, source, tmp_path):
    (tmp_path / "file").write_text("no folder")
    barred = Store(tmp_path / "file" / "cache")
    assert_same(loading.load(locate(str(path), barred), "float32", barred), loading.load(source))


@pytest.mark.parametrize(("name", "value"), [("MAX_COPY", 1), ("_same", lambda *_: False)])
def test_no_copy_is_kept_without_room_or_where_it_differs(name, value, source, empty, monkeypatch):
    monkeypatch.setattr(loading, name, value)
    loading.load(source, "float32", empty)
    assert copies(empty) == []


def test_copies_of_other_files_and_of_other_libraries_are_swept(source, empty, monkeypatch):
    saving.write_copy(source, empty, written)
    for method in range(saving.METHOD + 1, saving.METHOD + saving.MAX_COPIES + 1):
        monkeypatch.setattr(saving, "METHOD", method)
        assert saving.find_copy(source, empty) is None
        saving.write_copy(source, empty, written)
    assert len(copies(empty)) == saving.MAX_COPIES
    monkeypatch.undo()
    assert saving.find_copy(source, empty) is None
