"""Arrays in a pack: what is not exactly what it claims is refused."""

import io
import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as tried
from hypothesis import strategies as st

from core.base.errors import UserError
from core.store import profiles
from core.store.cache import Store
from core.store.packs import unpack
from tests.core.packing import LAYERS, first, hashed, snapshot, zipped

BEGINS = "{{'descr': '<f4', 'fortran_order': False, 'shape': {}, }}"


def npy(array, version=None):
    content = io.BytesIO()
    np.lib.format.write_array(content, array, version)
    return content.getvalue()


def claiming(header):
    """Nine numbers under a header of one's own."""
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(4 * LAYERS**2)


WHOLE = np.ones((LAYERS, LAYERS), np.float32)
BAD_ARRAYS = {
    "a huge shape": claiming(BEGINS.format("(30000, 30000)")),
    "a negative shape": claiming(BEGINS.format("(-3, -3)")),
    "a shape of one axis": claiming(BEGINS.format("(9,)")),
    "a shape of nothing": claiming(BEGINS.format("(0, 9)")),
    "a shape beyond counting": claiming(BEGINS.format("(99999999, 99999999)")),
    "a shape smaller than its numbers": claiming(BEGINS.format("(3, 2)")),
    "columns first": claiming(BEGINS.format("(3, 3)").replace("False", "True")),
    "no shape": claiming("{'descr': '<f4', 'fortran_order': False, }"),
    "a call": claiming(BEGINS.format("(__import__('os').getpid(), 3)")),
    "a header cut short": claiming(BEGINS.format("(3, 3)")[:-6]),
    "a header longer than the file": b"\x93NUMPY\x01\x00\xff\xff{",
    "double numbers": npy(WHOLE.astype("<f8")),
    "turned bytes": npy(WHOLE.astype(">f4")),
    "objects": npy(WHOLE.astype(object)),
    "another version": npy(WHOLE, (2, 0)),
    "no array": b"",
    "a pickle": pickle.dumps([1, 2, 3]),
    "an array cut short": npy(WHOLE)[:-1],
    "an array and more": npy(WHOLE) + b"\0",
}


@pytest.mark.parametrize("which", BAD_ARRAYS)
def test_an_array_that_is_not_of_its_kind_is_refused(which, good, rejected):
    name = first(good, "floor", "drift.npy")
    rejected(hashed(good | {name: BAD_ARRAYS[which]}), name)


@pytest.mark.parametrize("sound", [npy(WHOLE), claiming(BEGINS.format("(3, 3)"))])
def test_the_same_array_as_it_should_be_is_taken(sound, good, empty):
    """So that the arrays above are refused for what is wrong with them."""
    [entry] = unpack(empty, zipped(hashed(good | {first(good, "floor", "drift.npy"): sound})))
    found = profiles.load(empty, entry).floor.drift
    assert found.shape == (LAYERS, LAYERS) and set(found.flat) == {np.frombuffer(sound[-4:], "<f4").item()}


@tried(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_changed_arrays_are_read_or_refused_in_a_sentence(data, good, no_demo, tmp_path_factory):
    """With hashes that fit, so that only the arrays themselves are in question."""
    name = first(good, "floor", "drift.npy")
    content = bytearray(good[name])
    header = st.integers(0, content.index(b"\n"))
    for place in data.draw(st.lists(header | st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    store = Store(tmp_path_factory.mktemp("cache"))
    try:
        [entry] = unpack(store, zipped(hashed(good | {name: bytes(content)})))
    except UserError:
        assert snapshot(store.root) == {}
    else:
        assert profiles.load(store, entry).floor.drift.shape == (LAYERS, LAYERS)
