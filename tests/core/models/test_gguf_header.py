"""The header of a GGUF, read without its vocabulary, tells what the gguf package tells."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.models import gguf_header

KINDS = ("F32", "F16", "Q8_0", "Q4_0", "Q5_1")
VALUES = st.one_of(
    st.text(max_size=9).map(lambda value: ("add_string", value)),
    st.integers(0, 2**32 - 1).map(lambda value: ("add_uint32", value)),
    st.booleans().map(lambda value: ("add_bool", value)),
    st.lists(st.text(max_size=5), min_size=1, max_size=4).map(lambda value: ("add_array", value)),
    st.lists(st.integers(-9, 9), min_size=1, max_size=4).map(lambda value: ("add_array", value)),
    st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=3), min_size=1, max_size=2).map(
        lambda value: ("add_array", value)
    ),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.integers(1, 3)), min_size=1, max_size=4),
    st.lists(VALUES, max_size=4),
    st.sampled_from([None, 32, 64, 256]),
    st.sampled_from([gguf.GGUFEndian.LITTLE, gguf.GGUFEndian.BIG]),
)
def test_it_tells_what_the_package_tells(
    tmp_path: Path, tensors: list, values: list, alignment: int | None, order: gguf.GGUFEndian
) -> None:
    writer = gguf.GGUFWriter(tmp_path / "any.gguf", "llama", endianess=order)
    if alignment:
        writer.add_custom_alignment(alignment)
    for number, (add, value) in enumerate(values):
        getattr(writer, add)(f"some.value{number}", value)
    for number, (name, rows) in enumerate(tensors):
        kind = gguf.GGMLQuantizationType[name]
        data = gguf.quantize(np.ones((rows, 64), np.float32), kind)
        writer.add_tensor(f"blk.{number}.weight", data, raw_dtype=kind)
    writer.write_header_to_file(), writer.write_kv_data_to_file(), writer.write_tensors_to_file()
    writer.close()
    expected = gguf.GGUFReader(tmp_path / "any.gguf").tensors
    found = gguf_header.tensors(tmp_path / "any.gguf")
    assert [(each.name, each.shape) for each in found] == [(each.name, tuple(each.shape)) for each in expected]
    assert [each.end for each in found] == [each.data_offset + each.n_bytes for each in expected]


@pytest.mark.parametrize("kind", [8, 9, 4])
def test_a_count_beyond_the_file_ends_soon(kind: int, tmp_path: Path) -> None:
    """An array of 2**62 texts, arrays or numbers in a file of a few bytes."""
    number = [each.to_bytes(8, "little") for each in (1, 1, 4)]
    header = b"GGUF" + (3).to_bytes(4, "little") + b"".join(number) + b"name" + (9).to_bytes(4, "little")
    (tmp_path / "wrong.gguf").write_bytes(header + kind.to_bytes(4, "little") + (2**62).to_bytes(8, "little"))
    with pytest.raises(gguf_header.MALFORMED):
        gguf_header.tensors(tmp_path / "wrong.gguf")
