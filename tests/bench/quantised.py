"""Write quantisations of a model: `python -m tests.bench.quantised FOLDER [FILE [TYPE ...]]`, a `.gguf` file each.

Of the bundled model unless a file is named. The matrices of the layers are quantised anew from its values; all else is
copied. Blocks of Q2_K have 256 weights of one row: a matrix whose rows they do not divide, as all but `mlp.down_proj`
of the bundled one, becomes Q4_0 there.
"""

import sys
from pathlib import Path

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter, quants

from core.base import FILE
from core.models import bundled
from tests.gguf_files import finish

TYPES = ("Q8_0", "Q4_0", "Q2_K")
OWN = ("GGUF.", "general.architecture")  # what the writer says itself


def main(folder, source="", *types):
    """One file per type."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    file = Path(source) if source else bundled()
    model = FILE.sub("", file.name)
    for name in types or TYPES:
        path = Path(folder) / f"{model}.{name}.gguf"
        print(write(path, GGMLQuantizationType[name], file), flush=True)


def write(path, kind, source=None):
    """A model, by default the bundled one, with the layers' matrices of one type."""
    reader = GGUFReader(source or bundled())
    writer = GGUFWriter(path, reader.fields["general.architecture"].contents())
    for name, field in reader.fields.items():
        if not name.startswith(OWN):
            inner = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
            writer.add_key_value(name, field.contents(), field.types[0], inner)
    for tensor in reader.tensors:
        if tensor.name.startswith("blk.") and len(tensor.shape) > 1:
            values = quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
            found = kind if values.shape[1] % GGML_QUANT_SIZES[kind][0] == 0 else GGMLQuantizationType.Q4_0
            packed = q2_k(values) if found == GGMLQuantizationType.Q2_K else quants.quantize(values, found)
            writer.add_tensor(tensor.name, packed, raw_dtype=found)
        else:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    finish(writer)
    return path


def q2_k(values):
    """Rows of floats -> rows of bytes: two bits a weight, which the gguf package reads and does not write.

    Of every 16 weights the least (or 0) and the step to three steps above it are kept, in 4 bits each of a largest one
    per 256; each weight is the nearest of the four.
    """
    blocks = values.reshape(-1, 16, 16)
    low = np.minimum(blocks.min(2), 0)
    step = (np.maximum(blocks.max(2), 0) - low) / 3
    largest = [(each.max(1, keepdims=True) / 15).astype(np.float16) for each in (step, -low)]
    codes = [
        np.divide(each, unit.astype(np.float32), out=np.zeros_like(each), where=unit > 0).round().clip(0, 15)
        for each, unit in zip((step, -low), largest, strict=True)
    ]
    steps, lows = (code * unit.astype(np.float32) for code, unit in zip(codes, largest, strict=True))
    away = blocks + lows[..., None]
    nearest = np.divide(away, steps[..., None], out=np.zeros_like(away), where=steps[..., None] > 0).round().clip(0, 3)
    four = nearest.astype(np.uint8).reshape(-1, 2, 4, 32) << np.array([0, 2, 4, 6], np.uint8)[:, None]
    bits = np.bitwise_or.reduce(four, axis=2).reshape(-1, 64)
    scales = codes[0].astype(np.uint8) | codes[1].astype(np.uint8) << 4
    parts = [scales, bits, *(unit.view(np.uint8) for unit in largest)]
    return np.concatenate(parts, axis=1).reshape(len(values), -1)


if __name__ == "__main__":
    main(*sys.argv[1:])
