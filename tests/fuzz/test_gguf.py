"""GGUF files: a sound one with other bytes in it, or cut, or a header alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models import locate, read_shape
from core.store import Store
from tests import gguf_files
from tests.fuzz.judging import answered, fuzz


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return gguf_files.bare(tmp_path_factory.mktemp("gguf") / "small.gguf").read_bytes()


@fuzz
@given(st.data())
def test_a_gguf(sound, tmp_path_factory, data):
    content = bytearray(sound)
    for _ in range(data.draw(st.integers(0, 4))):
        at, size = data.draw(st.integers(4, 700)), data.draw(st.sampled_from([1, 4, 8]))
        content[at : at + size] = data.draw(st.sampled_from([0, 1, 255, 2**31, 2**40])).to_bytes(8, "little")[:size]
    cut = data.draw(st.sampled_from([len(content)] * 3) | st.integers(0, len(content)))
    path = tmp_path_factory.getbasetemp() / "fuzzed.gguf"
    path.write_bytes(content[:cut])
    store = Store(tmp_path_factory.getbasetemp() / "cache")
    source = answered(lambda: locate(str(path), store))
    if source:
        answered(lambda: read_shape(source, store))
