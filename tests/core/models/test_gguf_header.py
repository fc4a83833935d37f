"""What a GGUF header announces: as the library reads it, and no count leads past the end of the file."""

from __future__ import annotations

import struct
from pathlib import Path

import gguf
import numpy as np
import pytest

from core.models.gguf_header import MOST, SCALARS, tensors

ONE_SETTING = struct.pack("<4sIQQQ1sI", b"GGUF", 3, 0, 1, 1, b"x", 9)  # its value, an array, follows


@pytest.mark.parametrize("order", list(gguf.GGUFEndian))
def test_it_is_read_as_the_library_reads_it(tmp_path: Path, order: gguf.GGUFEndian) -> None:
    path = tmp_path / "every.gguf"
    writer = gguf.GGUFWriter(path, "llama", endianess=order)
    writer.add_custom_alignment(64)
    for kind in map(gguf.GGUFValueType, SCALARS):
        writer.add_key_value(f"one.{kind.name}", 1, kind)
        writer.add_key_value(f"some.{kind.name}", [1, 0], gguf.GGUFValueType.ARRAY, kind)
    writer.add_token_list(["a", "", "word"])
    writer.add_tensor("a.weight", np.ones((3, 5), np.float32))
    writer.add_tensor("b.weight", np.ones((2, 18), np.uint8), raw_dtype=gguf.GGMLQuantizationType.Q4_0)
    writer.add_tensor("c.bias", np.ones(7, np.float16))
    for step in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close):
        step()
    told = {each.name: (tuple(each.shape), each.data_offset + each.n_bytes) for each in gguf.GGUFReader(path).tensors}
    assert {name: (each.shape, each.end) for name, each in tensors(path).items()} == told


@pytest.mark.parametrize(
    "content",
    [
        *(ONE_SETTING + struct.pack("<IQ", kind, 2**40) for kind in (*SCALARS, 8, 9)),
        ONE_SETTING + struct.pack("<IQ", 8, MOST + 1) + bytes(64),
        ONE_SETTING + struct.pack("<IQ", 9, 1) * 5000,
        struct.pack("<4sIQQ", b"GGUF", 3, 2**40, 0),
        struct.pack("<4sIQQQ1sI", b"GGUF", 3, 1, 0, 1, b"x", 2**31) + bytes(64),
        struct.pack("<4sIQQQ", b"GGUF", 3, 0, 1, 2**63),
        struct.pack("<4sI", b"GGUF", 4),
    ],
)
def test_what_it_does_not_hold_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "lies.gguf"
    path.write_bytes(content)
    with pytest.raises((ValueError, struct.error, RecursionError)):
        tensors(path)
