"""What a GGUF header announces: as the gguf package reads it, and no count leads past the end of the file."""

import struct

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.base import UserError
from core.models import model_shape
from tests import gguf_files

KINDS = ("F32", "F16", "Q8_0", "Q4_0", "Q5_1")
ONE_SETTING = struct.pack("<4sIQQQ1sI", b"GGUF", 3, 0, 1, 1, b"x", 9)  # its value, an array, follows
LISTED = (st.text(max_size=5), st.integers(-9, 9), st.lists(st.integers(0, 9), min_size=1, max_size=3))
VALUES = st.one_of(st.text(max_size=9), *(st.lists(each, min_size=1, max_size=4) for each in LISTED))


def check_like_the_package(path):
    """The same shapes, and a file that is cut where the last tensor ends is whole, a byte before that is not."""
    expected = gguf.GGUFReader(path).tensors
    told = {each.name: tuple(each.shape) for each in expected}
    content, end = path.read_bytes(), max(int(each.data_offset + each.n_bytes) for each in expected)
    cut = path.with_name("cut.gguf")
    for whole in (content, content[:end]):
        cut.write_bytes(whole)
        assert model_shape.gguf_shapes(cut) == told
    cut.write_bytes(content[: end - 1])
    with pytest.raises(UserError, match=f"its tensors need {end:,}"):
        model_shape.gguf_shapes(cut)


@pytest.mark.parametrize(
    ("add", "value", "heads"),
    [("add_uint32", 12, 12), ("add_uint64", 2**63, model_shape.MAX_VALUES), ("add_int32", -3, 1),
     ("add_float32", 9.0, 1), ("add_array", [8, 8], 1)],
)  # fmt: skip
def test_its_heads_are_read_where_they_are_a_whole_number(tmp_path, add, value, heads, empty):
    writer = gguf.GGUFWriter(tmp_path / "any.gguf", "llama")
    getattr(writer, add)("llama.attention.head_count", value)
    writer.add_tensor("one", np.ones((2, 64), np.float32))
    gguf_files.finish(writer)
    assert model_shape.heads_of(tmp_path / "any.gguf", empty) == heads


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.integers(1, 3)), min_size=1, max_size=4),
    st.lists(VALUES, max_size=4),
    st.sampled_from([None, 32, 64, 256]),
)
def test_it_tells_what_the_package_tells(tmp_path, tensors, values, alignment):
    writer = gguf.GGUFWriter(tmp_path / "any.gguf", "llama")
    if alignment:
        writer.add_custom_alignment(alignment)
    for number, value in enumerate(values):
        (writer.add_string if isinstance(value, str) else writer.add_array)(f"some.value{number}", value)
    for number, (name, rows) in enumerate(tensors):
        kind = gguf.GGMLQuantizationType[name]
        data = gguf.quantize(np.ones((rows, 64), np.float32), kind)
        writer.add_tensor(f"blk.{number}.weight", data, raw_dtype=kind)
    gguf_files.finish(writer)
    check_like_the_package(tmp_path / "any.gguf")


def test_every_kind_of_value_is_passed_over(tmp_path):
    path = tmp_path / "every.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_custom_alignment(64)
    for kind in map(gguf.GGUFValueType, model_shape.SCALARS):
        writer.add_key_value(f"one.{kind.name}", 1, kind)
        writer.add_key_value(f"some.{kind.name}", [1, 0], gguf.GGUFValueType.ARRAY, kind)
    writer.add_token_list(["a", "", "word"])
    writer.add_tensor("a.weight", np.ones((3, 5), np.float32))
    writer.add_tensor("b.weight", np.ones((2, 18), np.uint8), raw_dtype=gguf.GGMLQuantizationType.Q4_0)
    writer.add_tensor("c.bias", np.ones(7, np.float16))
    gguf_files.finish(writer)
    check_like_the_package(path)


MANY = model_shape.MAX_VALUES + 1
LIES = [
    *(ONE_SETTING + struct.pack("<IQ", kind, 2**40) for kind in (*model_shape.SCALARS, 8, 9)),
    ONE_SETTING + struct.pack("<IQ", 8, MANY) + bytes(64),
    ONE_SETTING + struct.pack("<IQ", 0, MANY) + bytes(MANY),
    ONE_SETTING + struct.pack("<IQ", 9, 1) * 5000,
    struct.pack("<4sIQQ", b"GGUF", 3, 2**40, 0),
    struct.pack("<4sIQQQ1sI", b"GGUF", 3, 1, 0, 1, b"x", 2**31) + bytes(64),
    struct.pack("<4sIQQQ", b"GGUF", 3, 0, 1, 2**63),
]
TYPE_200 = struct.pack("<4sIQQQ1sIQIQ", b"GGUF", 3, 1, 0, 1, b"x", 1, 32, 200, 0) + bytes(64)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        *((lie, "what its header announces") for lie in LIES),
        (TYPE_200, "type 200, which the package gguf does not know"),
        (struct.pack("<4sI", b"GGUF", 4), "of GGUF version 4: write it as version 3"),
    ],
)
def test_what_it_does_not_hold_is_an_error(tmp_path, content, said):
    path = tmp_path / "lies.gguf"
    path.write_bytes(content)
    with pytest.raises(UserError, match=said):
        model_shape.gguf_shapes(path)


def test_parts_of_a_model_are_joined_first(tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "model.gguf", "llama", split_max_tensors=2)
    writer.add_block_count(5)
    for number in range(5):
        writer.add_tensor(f"blk.{number}.weight", np.ones((2, 32), np.float32))
    gguf_files.finish(writer)
    parts = sorted(tmp_path.glob("model-*"))
    assert len(parts) == 3
    for path in parts:
        with pytest.raises(UserError, match=r"one of 3 parts of a model: .* --merge"):
            model_shape.gguf_shapes(path)


@pytest.mark.parametrize(("bound", "most"), [("MAX_HEADER", 100), ("MAX_SETTINGS", 3)])
def test_a_header_has_bounds(bound, most, tmp_path, monkeypatch):
    path = gguf_files.bare(tmp_path / "small.gguf")
    assert model_shape.gguf_shapes(path)
    monkeypatch.setattr(model_shape, bound, most)
    with pytest.raises(UserError, match="what its header announces"):
        model_shape.gguf_shapes(path)
