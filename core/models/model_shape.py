"""The shape of a model, read from the headers of its files: enough to know what it costs to run. No torch."""

import math
import mmap
import re
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from core.base import Fields, UserError, brief, gist, json_value, readable
from core.models.patching import patched
from core.requests import ModelShape
from core.store import Store, remembered

Shapes = dict[str, tuple[int, ...]]
HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads")  # as configurations call their number
NUMBERED = re.compile(r"^(.*?)\.(\d+)\.")


def model_shape(shapes: Shapes) -> ModelShape:
    """The shape of a model by the names and shapes of its tensors.

    The layers are the numbered group that holds most parameters; the largest matrix outside them is the embedding. The
    width is the side of matrices outside that those of the layers have most often: a vocabulary may be shorter than
    that, and an embedding narrower where it is projected.

    Raises:
        UserError: no numbered group, or no matrix outside it.
    """
    groups = {}  # name -> number and shape of each tensor
    outside = []
    for name, shape in shapes.items():
        if match := NUMBERED.match(name):
            groups.setdefault(match[1], []).append((int(match[2]), shape if len(shape) > 1 else ()))
        elif len(shape) == 2:
            outside.append(shape)
    if not groups or not outside:
        raise UserError("these files hold no stack of numbered layers with an embedding beside it")
    matrices = {name: [shape for _, shape in held if shape] for name, held in groups.items()}
    weight = {name: sum(map(math.prod, held)) for name, held in matrices.items()}
    stack = max(weight, key=weight.__getitem__)
    layers = len({number for number, _ in groups[stack]})
    sides = Counter(side for shape in matrices[stack] for side in shape)
    width = max(sorted({side for shape in outside for side in shape}), key=sides.__getitem__)
    vocabulary = max((side for side in max(outside, key=math.prod) if side != width), default=width)
    total = sum(map(math.prod, shapes.values()))
    return ModelShape(layers, width, vocabulary, weight[stack] // layers, total, len(matrices[stack]) // layers)


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


def tensor_shapes(path: Path, store: Store) -> Shapes:
    """Tensor shapes of a GGUF or safetensors file, read once per state of the file.

    Raises:
        UserError: the file is missing, cut short or damaged.
    """
    find = gguf_shapes if path.suffix == ".gguf" else safetensors_shapes
    return remembered(store.root, readable(path, "weights file"), "shapes", find)


def heads_of(path: Path, store: Store) -> int:
    """Query heads of an attention, as a GGUF file or a config.json says; 1 where it does not say."""
    if path.suffix == ".gguf":
        count = remembered(store.root, path, "heads", lambda file: _read_header(file)[0].heads)
    else:
        config = json_value(path, "settings file")
        config |= config["text_config"] if isinstance(config.get("text_config"), dict) else {}
        count = next((config[name] for name in HEADS if isinstance(config.get(name), int)), 1)
    return min(max(1, count), MAX_VALUES)


# --- the header of a GGUF file, read as far as the tensors it announces --------------------------------------------

# The package's own reader makes an object of every word of the vocabulary, and follows a count beyond the file's end.
VERSIONS = (2, 3)
SCALARS = dict(enumerate("BbHhIif?")) | {10: "Q", 11: "q", 12: "d"}  # kinds of values, as `struct` calls them
TEXT, ARRAY = 8, 9
ROPE = ".rope.scaling."  # in the names of settings
ALIGNMENT = 32  # bytes, unless the settings give another
DIMENSIONS = 4  # of a tensor at most
MAX_VALUES = 2**21  # values of an array: no vocabulary has as many
MAX_SETTINGS = 2**10  # of a model: each is compared with all that transformers knows
MAX_HEADER = 2**26  # bytes of a header


def gguf_shapes(path: Path) -> Shapes:
    """Shapes of the tensors of a GGUF file, every one of which lies inside it.

    Raises:
        UserError: the file is no GGUF, or damaged or cut short.
    """
    return _read_header(path)[1]


def gguf_types(path: Path) -> dict[str, int]:
    """Number of the type of each tensor of a GGUF file, by its own name; raises as `gguf_shapes`."""
    return _read_header(path)[0].types


def gguf_positions(path: Path) -> Fields:
    """RoPE settings that a GGUF file has beside its base, as transformers calls them; none where they are not scaled.

    Frequencies that its `rope_freqs` divide, as of Llama 3, are those of LongRoPE with one list of factors.
    """
    header, name = _read_header(path)[0], "rope_freqs.weight"
    if name in header.types:
        from gguf import GGUFReader

        factors = next(each.data.tolist() for each in GGUFReader(path).tensors if each.name == name)
        lists = {"short_factor": factors, "long_factor": factors, "original_max_position_embeddings": 1}
        return {"rope_type": "longrope", "factor": 1.0, "attention_factor": 1.0} | lists
    own = {"factor": header.scaling.get("factor"), "original_max_position_embeddings":
           header.scaling.get("original_context_length")}  # fmt: skip
    kind = header.scaling.get("type", "none")
    return {} if kind == "none" else {"rope_type": kind} | {key: each for key, each in own.items() if each}


def _read_header(path: Path) -> tuple["_Header", Shapes]:
    size = path.stat().st_size
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            header = _Header(content, path.name)
            shapes, end = header.tensors()
    except (ValueError, KeyError, struct.error, RecursionError) as error:
        raise UserError(
            f"{path.name} is no GGUF file, or is cut short or damaged: its {size:,} bytes do not hold what its header "
            "announces; download it again"
        ) from error
    if not 0 < end <= size:
        raise UserError(f"{path.name} is cut short: it has {size:,} bytes, its tensors need {end:,}")
    return header, shapes


class _Header:
    """Reads values one after the other."""

    def __init__(self, content: mmap.mmap, name: str):
        self.content, self.name, self.at, self.heads, self.types, self.scaling = content, name, 0, 1, {}, {}
        if self._number("4s") != b"GGUF":
            raise ValueError("of another kind")
        if (version := self._number("I")) not in VERSIONS:
            raise UserError(f"{name} is of GGUF version {version}: write it as version {max(VERSIONS)}, which is read")

    def tensors(self) -> tuple[Shapes, int]:
        """Every shape, and the byte of the file where the last tensor ends; 0 without tensors."""
        from gguf.constants import GGML_QUANT_SIZES

        count, settings = self._number("Q"), self._number("Q")
        alignment = self._settings(settings, count)
        shapes = {}
        ends = []
        for _ in range(count):
            name, dimensions = self._text(), self._number("I")
            if name in shapes or dimensions > DIMENSIONS:
                raise ValueError("the same name twice, or no such shape")
            shapes[name] = tuple(self._number("Q") for _ in range(dimensions))
            self.types[name] = self._number("I")
            if self.types[name] not in GGML_QUANT_SIZES:
                raise UserError(
                    f"{self.name} has a tensor of type {self.types[name]}, which the package gguf does not know: run "
                    "`pip install -U gguf`, or name a file without it"
                )
            block, size = GGML_QUANT_SIZES[self.types[name]]
            ends.append(self._number("Q") + math.prod(shapes[name]) * size // block)
        begin = -(-self.at // alignment) * alignment
        return shapes, begin + max(ends, default=-begin)

    def _settings(self, count: int, tensors: int) -> int:
        """Skip the settings and return the alignment among them; refuse more layers than tensors."""
        alignment, names, layers = ALIGNMENT, set(), None
        if count > MAX_SETTINGS:
            raise ValueError("no such number of settings")
        for _ in range(count):
            name, kind = self._text(), self._number("I")
            if name in names:
                raise ValueError("the same setting twice")
            names.add(name)
            if name == "general.alignment":
                alignment = self._number("I")
            elif name.endswith(".attention.head_count") and SCALARS.get(kind, "f") in "BbHhIiQq":
                self.heads = self._number(SCALARS[kind])
            elif ROPE in name and kind in (TEXT, *SCALARS):
                self.scaling[name.partition(ROPE)[2]] = self._text() if kind == TEXT else self._number(SCALARS[kind])
            elif name.endswith(".block_count") and kind in SCALARS:
                layers = self._number(SCALARS[kind])
            elif name == "split.count" and kind in SCALARS:
                if (parts := self._number(SCALARS[kind])) > 1:
                    raise UserError(
                        f"{self.name} is one of {brief(parts)} parts of a model: join them by `llama-gguf-split "
                        "--merge FIRST WHOLE`, and name the whole"
                    )
            else:
                self._pass(kind)
        if alignment < 1 or alignment & (alignment - 1) or not (layers is None or 0 < layers <= tensors):
            raise ValueError("no alignment, or no such number of layers")
        return alignment

    def _number(self, code: str) -> int:
        form = f"<{code}"
        (value,) = struct.unpack_from(form, self.content, self.at)
        self.at += struct.calcsize(form)
        return value

    def _text(self) -> str:
        self._pass(TEXT)
        return self.content[self.began : self.at].decode()

    def _pass(self, kind: int, count: int = 1) -> None:
        """Skip values of a kind."""
        if kind not in (*SCALARS, TEXT, ARRAY) or count > MAX_VALUES:
            raise ValueError("no such value")
        if kind in SCALARS:
            self._skip(count * struct.calcsize(SCALARS[kind]))
        else:
            for _ in range(count):
                if kind == TEXT:
                    self._skip(self._number("Q"))
                else:
                    self._pass(self._number("I"), self._number("Q"))

    def _skip(self, size: int) -> None:
        self.began, self.at = self.at, self.at + size
        if self.at > min(len(self.content), MAX_HEADER):
            raise ValueError("cut short")


@contextmanager
def parsed_once() -> Iterator[None]:
    """While inside, the gguf package parses the header of a file once, and makes its map of tensor names once.

    Loading with transformers asks four times for the header, whose vocabulary takes seconds each time, and for the map
    at every module of the model.
    """
    import gguf

    once = {name: cache(getattr(gguf, name)) for name in ("GGUFReader", "get_tensor_name_map")}
    with patched(gguf, **once):
        yield
