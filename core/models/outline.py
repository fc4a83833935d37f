"""The shape of a model, read from its files' headers: enough to know what a measurement costs. No torch.

The gguf library's own reader makes an object of every word of the vocabulary, and follows a count past the end of the
file.
"""

from __future__ import annotations

import math
import mmap
import re
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from core.base.errors import UserError
from core.base.formats import gist

NUMBERED = re.compile(r"^(.*?)\.(\d+)\.")
Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Outline:
    """What costs depend on."""

    layers: int
    width: int
    vocabulary: int
    layer_parameters: int  # matrix weights of one layer, mean over layers
    parameters: int  # of the whole model
    linears: int = 7  # matrices in a layer


def outline(shapes: Shapes) -> Outline:
    """Read a model's outline off its tensors' names and shapes.

    The layers are the numbered group that holds most parameters; the largest matrix outside them is the embedding. The
    width is the side of matrices outside that those of the layers have most often: a vocabulary may be shorter than
    that, and an embedding narrower where it is projected.

    Raises:
        UserError: no numbered group, or no matrix outside it.
    """
    weight: Counter[str] = Counter()
    matrices: Counter[str] = Counter()
    sides: dict[str, Counter[int]] = {}
    members: dict[str, set[int]] = {}
    outside = []
    for name, shape in shapes.items():
        found = NUMBERED.match(name)
        if found:
            weight[found[1]] += math.prod(shape) if len(shape) > 1 else 0
            matrices[found[1]] += len(shape) > 1
            sides.setdefault(found[1], Counter()).update(shape if len(shape) > 1 else ())
            members.setdefault(found[1], set()).add(int(found[2]))
        elif len(shape) == 2:
            outside.append(shape)
    if not weight or not outside:
        raise UserError("these files hold no stack of numbered layers with an embedding beside it")
    stack, parameters = weight.most_common(1)[0]
    layers = len(members[stack])
    embedding = max(outside, key=math.prod)
    width = max(sorted({side for shape in outside for side in shape}), key=sides[stack].__getitem__)
    vocabulary = max((side for side in embedding if side != width), default=width)
    total = sum(math.prod(shape) for shape in shapes.values())
    linears = matrices[stack] // layers
    return Outline(layers, width, vocabulary, parameters // layers, total, linears)


def gguf_shapes(path: Path) -> Shapes:
    """Tensor shapes of a GGUF file whose every tensor lies inside it.

    Raises:
        UserError: the file is no GGUF, or cut short.
    """
    with path.open("rb") as file:
        if file.read(4) != MAGIC:
            raise UserError(f"{path.name} is not a GGUF file: it does not begin with the letters GGUF")
    size = path.stat().st_size
    try:
        found = tensors(path)
    except MALFORMED as error:
        raise UserError(
            f"{path.name} is cut short or damaged: its {size:,} bytes do not hold what its header announces; "
            "download it again"
        ) from error
    end = max((tensor.end for tensor in found.values()), default=0)
    if not 0 < end <= size:
        raise UserError(f"{path.name} is cut short: it has {size:,} bytes, its tensors need {end:,}")
    return {name: tensor.shape for name, tensor in found.items()}


def safetensors_shapes(path: Path) -> Shapes:
    """Tensor shapes of a safetensors file.

    Raises:
        UserError: the file is cut short or damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118  it is no dict
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path.name} is cut short or damaged: {gist(error)}") from error


MAGIC = b"GGUF"
MALFORMED = (
    ValueError,
    KeyError,
    struct.error,
    RecursionError,
)  # what a damaged header raises, or one that is cut short
VERSIONS = (2, 3)
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}  # kinds of values
TEXT, ARRAY = 8, 9
ALIGNMENT = 32  # bytes, where nothing else is said
DIMENSIONS = 4  # of a tensor at most
MOST = 2**24  # texts in an array: no vocabulary has as many


@dataclass(frozen=True)
class Tensor:
    """What the header says of one."""

    shape: tuple[int, ...]
    end: int  # bytes from the beginning of the file


def tensors(path: Path) -> dict[str, Tensor]:
    """Every tensor by its name.

    Raises:
        MALFORMED: the header is damaged or cut short.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return _Header(content).tensors()


class _Header:
    """Reads one after the other."""

    def __init__(self, content: mmap.mmap):
        self.content, self.at = content, 4
        if self._number("I") not in VERSIONS:
            raise ValueError("of another version")

    def tensors(self) -> dict[str, Tensor]:
        from gguf.constants import GGML_QUANT_SIZES

        count, settings = self._number("Q"), self._number("Q")
        alignment = self._settings(settings, count)
        told = {}
        for _ in range(count):
            name = self._text()
            if name in told:
                raise ValueError("the same name twice")
            shape = self._shape()
            told[name] = shape, GGML_QUANT_SIZES[self._number("I")], self._number("Q")
        begin = -(-self.at // alignment) * alignment
        return {
            name: Tensor(shape, begin + offset + math.prod(shape) * size // block)
            for name, (shape, (block, size), offset) in told.items()
        }

    def _shape(self) -> tuple[int, ...]:
        dimensions = self._number("I")
        if dimensions > DIMENSIONS:
            raise ValueError("no such shape")
        return tuple(self._number("Q") for _ in range(dimensions))

    def _settings(self, count: int, tensors: int) -> int:
        """Pass over the settings; the alignment that they name. There are no more layers than tensors."""
        alignment, names = ALIGNMENT, set()
        for _ in range(count):
            name, kind = self._text(), self._number("I")
            if name in names:
                raise ValueError("the same setting twice")
            names.add(name)
            if name == "general.alignment":
                alignment = self._number("I")
            elif name.endswith(".block_count") and kind in SCALARS:
                if not 0 < self._number(SCALARS[kind]) <= tensors:
                    raise ValueError("no such number of layers")
            else:
                self._pass(kind)
        if alignment < 1 or alignment & (alignment - 1):
            raise ValueError("no alignment")
        return alignment

    def _number(self, code: str) -> int:
        form = f"<{code}"
        (found,) = struct.unpack_from(form, self.content, self.at)
        self.at += struct.calcsize(form)
        return found

    def _text(self) -> str:
        self._pass(TEXT)
        return self.content[self.began : self.at].decode()

    def _pass(self, kind: int, count: int = 1) -> None:
        """Pass over values of a kind."""
        if kind in SCALARS:
            self._skip(count * struct.calcsize(SCALARS[kind]))
        elif kind not in (TEXT, ARRAY) or count > MOST:
            raise ValueError("no such value")
        else:
            for _ in range(count):
                if kind == TEXT:
                    self._skip(self._number("Q"))
                else:
                    self._pass(self._number("I"), self._number("Q"))

    def _skip(self, size: int) -> None:
        self.began, self.at = self.at, self.at + size
        if self.at > len(self.content):
            raise ValueError("cut short")


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
