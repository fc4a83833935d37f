"""Write quantisations of the bundled model: `python -m tests.bench.quantised FOLDER`, a `.gguf` file for each type.

The matrices of the layers are quantised anew from the bundled file's values; all else is copied.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter, quants

from core.models.sources import bundled

TYPES = ("Q8_0", "Q4_0")
OWN = ("GGUF.", "general.architecture")  # what the writer says itself


def main(folder: Path) -> None:
    """One file per type."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in TYPES:
        print(write(folder / f"SmolLM2-135M-Instruct.{name}.gguf", GGMLQuantizationType[name]), flush=True)


def write(path: Path, kind: GGMLQuantizationType) -> Path:
    """The bundled model with the layers' matrices of one type."""
    reader = GGUFReader(bundled())
    writer = GGUFWriter(path, reader.fields["general.architecture"].contents())
    for name, field in reader.fields.items():
        if not name.startswith(OWN):
            inner = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
            writer.add_key_value(name, field.contents(), field.types[0], inner)
    for tensor in reader.tensors:
        if tensor.name.startswith("blk.") and len(tensor.shape) > 1:
            values = quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
            writer.add_tensor(tensor.name, quants.quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


if __name__ == "__main__":
    main(Path(sys.argv[1]))
