"""The shape of a model, read from its files' headers: enough to know what a measurement costs. No torch."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from core.base.errors import UserError, gist
from core.base.paths import readable
from core.models import gguf_header
from core.models.file_hashes import remembered
from core.models.gguf_header import Shapes
from core.store.cache import Store

NUMBERED = re.compile(r"^(.*?)\.(\d+)\.")


@dataclass(frozen=True)
class Outline:
    """Sizes of a model that its costs depend on."""

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
    groups: dict[str, list[tuple[int, tuple[int, ...]]]] = {}
    outside = []
    for name, shape in shapes.items():
        if found := NUMBERED.match(name):
            groups.setdefault(found[1], []).append((int(found[2]), shape if len(shape) > 1 else ()))
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
    return Outline(layers, width, vocabulary, weight[stack] // layers, total, len(matrices[stack]) // layers)


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


def shapes_of(path: Path, store: Store) -> Shapes:
    """Tensor shapes of a GGUF or safetensors file, read once per state of the file.

    Raises:
        UserError: the file is missing, cut short or damaged.
    """
    find = gguf_header.shapes if path.suffix == ".gguf" else safetensors_shapes
    return remembered(store, readable(path, "weights file"), "shapes", find)
