"""Importance matrices of llama.cpp: mean squares of what each linear reads, as `llama-imatrix` keeps them in GGUF."""

from collections.abc import Mapping
from pathlib import Path
from shutil import copyfile
from typing import NamedTuple

import numpy as np
import torch

from core.base import Array, UserError, access, frozen, readable, without_folders
from core.models import Loaded, Tensors, anatomy, tensor_shapes
from core.store import Store, file_hash

SUMS, COUNTS = ".in_sum2", ".counts"
TOLD = "general.type", "imatrix.datasets", "imatrix.chunk_count", "imatrix.chunk_size"
MAGIC = b"GGUF"


class Text(NamedTuple):
    """Text that importance was measured on."""

    name: str
    windows: int
    length: int  # tokens of a window
    file: Path | None = None  # that importance was read from


@frozen
class Importance:
    """Somebody's own importance matrix, which takes the place of calibration windows."""

    content: str  # SHA-256 of the file
    text: Text
    norms: list[Tensors]  # per layer of each linear the root of its inputs' mean squares, (in,) float64

    @property
    def label(self) -> str:
        return f"importance matrix of {self.text.name}"

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.text.file,)


def write(path: Path, sums: Mapping[str, Array], text: Text) -> None:
    """Write an importance matrix as `llama-imatrix` does; one that was read is copied.

    Args:
        sums: name of a weight in llama.cpp -> (in,) sum of its inputs' squares over the text.
    """
    from gguf import GGUFWriter

    if text.file:
        copyfile(text.file, path)
        return
    writer = GGUFWriter(path, "imatrix")
    writer.add_type("imatrix")
    writer.add_array("imatrix.datasets", [text.name])
    writer.add_uint32("imatrix.chunk_count", text.windows)
    writer.add_uint32("imatrix.chunk_size", text.length)
    for name, total in sums.items():
        writer.add_tensor(name + SUMS, np.asarray(total, np.float32)[None])
        writer.add_tensor(name + COUNTS, np.full((1, 1), text.windows * text.length, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def given(path: Path, loaded: Loaded, store: Store) -> Importance:
    """Read the importance matrix of a model.

    Raises:
        UserError: as `read`, or llama.cpp has no such model.
    """
    from transformers.modeling_gguf_pytorch_utils import TensorProcessor, get_gguf_hf_weights_map

    try:
        own = {full: name for name, full in get_gguf_hf_weights_map(loaded.model, TensorProcessor()).items()}
    except NotImplementedError as error:
        raise UserError(f"no importance matrix is of {loaded.source.label}: its family has no GGUF names") from error
    full = {module: name for name, module in loaded.model.named_modules()}
    stacks = [
        {one.name: (own[f"{full[one.module]}.weight"], one.weight.shape[1]) for one in anatomy.prunable_linears(layer)}
        for layer in loaded.layers
    ]
    means, text = read(path, dict(each for stack in stacks for each in stack.values()), store)
    norms = [{own: torch.from_numpy(means[name]).sqrt() for own, (name, _) in stack.items()} for stack in stacks]
    return Importance(file_hash(store.root, path), text, norms)


def read(path: Path, widths: Mapping[str, int], store: Store) -> tuple[dict[str, Array], Text]:
    """Read an importance matrix: name of a weight -> (in,) mean squares of its inputs, float64; and its text.

    Args:
        widths: inputs of every weight that needs one.

    Raises:
        UserError: it is no importance matrix, of another model, or holds numbers that are no mean squares.
    """
    (names, *sizes), tensors = opened(path, store)
    lacking = sorted(name for name in widths if not {name + SUMS, name + COUNTS} <= tensors.keys())
    if lacking:
        raise UserError(
            f"{path.name} is of another model: of {len(widths)} weights it lacks {len(lacking)}, such as {lacking[0]}"
        )
    means = {}
    for name, width in widths.items():
        total, counts = (tensors[name + end].data.astype(np.float64) for end in (SUMS, COUNTS))
        if total.size != width:
            raise UserError(f"{path.name} is of another model: {name} has {width} inputs, and {total.size} there")
        if not (np.isfinite(total).all() and (total >= 0).all() and np.isfinite(counts).all() and (counts > 0).all()):
            raise UserError(
                f"{path.name} holds numbers for {name} that are no sums of squares over some tokens: make it anew"
            )
        means[name] = (total / counts).ravel()
    return means, Text(", ".join(without_folders([*map(str, names)])), *sizes, path)


def opened(path: Path, store: Store) -> tuple[list, Mapping]:
    """Names of the texts with count and tokens of their windows, and the tensors, of an importance matrix.

    Raises:
        UserError: it is none.
    """
    from gguf import GGUFReader

    with readable(access.inside(path), "weights file").open("rb") as file:
        magic = file.read(len(MAGIC))
    if magic == MAGIC:
        tensor_shapes(path, store)  # refuses damaged files
        reader = GGUFReader(path)
        kind, *texts = (name in reader.fields and reader.fields[name].contents() for name in TOLD)
        if kind == "imatrix" and [*map(type, texts)] == [list, int, int]:
            return texts, {each.name: each for each in reader.tensors}
    raise UserError(
        f"{path.name} is no importance matrix in GGUF: make one with llama-imatrix, which converts its older .dat too, "
        "by --in-file"
    )
