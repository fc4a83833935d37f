"""The header of a GGUF file: which tensors it holds and where. The vocabulary in it is passed over. No torch."""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MAGIC = b"GGUF"
VERSIONS = (2, 3)
STRING, ARRAY = 8, 9
WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # bytes of a plain value, by its type
MALFORMED = (ValueError, LookupError, OverflowError, MemoryError, RecursionError, struct.error)


@dataclass(frozen=True)
class Tensor:
    """Where a tensor lies."""

    name: str
    shape: tuple[int, ...]  # the fastest index first, as GGUF stores it
    end: int  # the byte after its last one


def tensors(path: Path) -> list[Tensor]:
    """The tensors that a GGUF file announces, whether or not they lie inside it.

    Raises:
        MALFORMED: the header cannot be read to its end.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return _Cursor(content).tensors()


class _Cursor:
    """Reads a header from its beginning on."""

    def __init__(self, content: mmap.mmap):
        self.content, self.at, self.order = content, 4, "<"
        if content[6:8] != b"\0\0":  # the two high bytes of the version, where the order is the usual one
            self.order = ">"
        [version] = self.take("I")
        if version not in VERSIONS:
            raise ValueError(f"version {version}")

    def take(self, form: str) -> tuple[int, ...]:
        """The next numbers."""
        form = self.order + form
        found = struct.unpack_from(form, self.content, self.at)
        self.at += struct.calcsize(form)
        return found

    def text(self) -> str:
        begin, end = self.over(*self.take("Q"))
        return self.content[begin:end].decode()

    def over(self, size: int) -> tuple[int, int]:
        """Pass over so many bytes; where they begin and end."""
        self.at += size
        return self.at - size, self.at

    def skip(self, kind: int, count: int = 1) -> None:
        """Pass over values of one type."""
        if kind in WIDTHS:
            self.over(count * WIDTHS[kind])
            return
        for _ in range(count):
            if kind == STRING:
                self.over(*self.take("Q"))
            elif kind == ARRAY:
                self.skip(*self.take("IQ"))
            else:
                raise ValueError(f"a value of type {kind}")

    def tensors(self) -> list[Tensor]:
        count, values = self.take("QQ")
        alignment = 32
        for _ in range(values):
            name, [kind] = self.text(), self.take("I")
            before = self.at
            self.skip(kind)
            if name == "general.alignment":
                self.at = before
                [alignment] = self.take("I")
        found = [self._tensor() for _ in range(count)]
        if len({name for name, *_ in found}) < len(found):
            raise ValueError("two tensors of one name")
        begin = -(-self.at // alignment) * alignment
        return [Tensor(name, shape, begin + offset + size) for name, shape, offset, size in found]

    def _tensor(self) -> tuple[str, tuple[int, ...], int, int]:
        from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

        name, [axes] = self.text(), self.take("I")
        shape, (kind, offset) = self.take(f"{axes}Q"), self.take("IQ")
        block, size = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
        return name, shape, offset, math.prod(shape) * size // block


@contextmanager
def parsed_once() -> Iterator[None]:
    """While inside, the gguf package parses the header of a file once, and makes its map of tensor names once.

    Loading with transformers asks four times for the header, whose vocabulary takes seconds each time, and for the map
    at every module of the model.
    """
    import gguf

    own = {name: getattr(gguf, name) for name in ("GGUFReader", "get_tensor_name_map")}
    for name, each in own.items():
        setattr(gguf, name, cache(each))
    try:
        yield
    finally:
        for name, each in own.items():
            setattr(gguf, name, each)
