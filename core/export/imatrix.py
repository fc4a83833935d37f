"""Importance matrices of llama.cpp: mean squares of what each linear reads, as `llama-imatrix` keeps them in GGUF."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from core.base import Array, UserError, brief

SUMS, COUNTS = ".in_sum2", ".counts"


class Text(NamedTuple):
    """Text that importance was measured on."""

    name: str
    windows: int
    length: int  # tokens of a window


def write(path: Path, sums: Mapping[str, Array], text: Text) -> None:
    """Write an importance matrix as `llama-imatrix` does.

    Args:
        sums: name of a weight in llama.cpp -> (in,) sum of its inputs' squares over the text.
    """
    from gguf import GGUFWriter

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


def read(path: Path, widths: Mapping[str, int]) -> dict[str, Array]:
    """Read an importance matrix: name of a weight -> (in,) mean squares of its inputs.

    Args:
        widths: inputs of every weight that needs one.

    Raises:
        UserError: it is no importance matrix, of another model, or holds numbers that are not finite or negative.
    """
    from gguf import GGUFReader

    try:
        tensors = {each.name: np.array(each.data, np.float64) for each in GGUFReader(path).tensors}
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise UserError(
            f"{path.name} is no importance matrix that is read here ({brief(error)}): make one with llama-imatrix"
        ) from error
    lacking = sorted(name for name in widths if not {name + SUMS, name + COUNTS} <= tensors.keys())
    if lacking:
        raise UserError(
            f"{path.name} is of another model: of {len(widths)} weights it lacks {len(lacking)}, such as {lacking[0]}"
        )
    means = {name: (tensors[name + SUMS] / np.maximum(tensors[name + COUNTS], 1)).ravel() for name in widths}
    for name, mean in means.items():
        if len(mean) != widths[name]:
            raise UserError(f"{path.name} is of another model: {name} has {widths[name]} inputs, and {len(mean)} there")
        if not (np.isfinite(mean).all() and (mean >= 0).all()):
            raise UserError(f"{path.name} holds numbers for {name} that are no mean squares: make it anew")
    return means
