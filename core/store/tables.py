"""Results as Parquet: one table per set of axes, an index column for each axis."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from core.store import results
from core.store.files import Corrupt

SHORT = 2**15  # the longest axis that is counted in 16 bits
Result = TypeVar("Result")


def encode(result: object) -> dict[str, bytes]:
    """A result dataclass as Parquet files: index columns, then one float32 column per field; all-NaN rows left out."""
    tables: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name, axes in results.axes_of(type(result)).items():
        tables[axes].append(name)
    files = {}
    for axes, names in tables.items():
        arrays = {name: np.asarray(getattr(result, name), np.float32) for name in names}
        shape = next(iter(arrays.values())).shape
        kept = ~np.all([np.isnan(array) for array in arrays.values()], axis=0)
        columns = dict(zip(axes, np.nonzero(kept), strict=True))
        counted = np.int16 if max(shape) <= SHORT else np.int32
        table = pa.table(
            {axis: pa.array(index.astype(counted)) for axis, index in columns.items()}
            | {name: pa.array(array[kept]) for name, array in arrays.items()}
        )
        sink = pa.BufferOutputStream()
        with parquet.ParquetWriter(
            sink,
            table.schema,
            compression="zstd",
            compression_level=19,  # results are small, and the committed ones are to stay so
            use_dictionary=list(axes),
            use_byte_stream_split=names,
            write_statistics=False,
            store_schema=False,  # names and types a second time
        ) as writer:
            writer.write_table(table)
            writer.add_key_value_metadata({"shape": json.dumps(shape)})
        files["-".join(axes) + ".parquet"] = sink.getvalue().to_pybytes()
    return files


def decode(files: dict[str, bytes], result: type[Result] | None) -> Result | None:
    """The inverse of `encode`, in float64.

    Raises:
        Corrupt: a table is missing or has other columns.
    """
    if result is None:
        return None
    values = {}
    tables: dict[str, pa.Table] = {}
    for name, axes in results.axes_of(result).items():
        file = "-".join(axes) + ".parquet"
        try:
            if file not in tables:
                tables[file] = parquet.ParquetFile(pa.BufferReader(files[file])).read(use_threads=False)
            table = tables[file]
            array = np.full(json.loads(table.schema.metadata[b"shape"]), np.nan)
            array[tuple(table[axis].to_numpy() for axis in axes)] = table[name].to_numpy()
        except (KeyError, pa.ArrowInvalid, IndexError, OSError, TypeError, ValueError) as error:
            raise Corrupt(f"{file}: {error}") from error
        values[name] = array
    return result(**values)
