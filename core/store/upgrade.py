"""Entries that earlier versions wrote with Parquet tables: read as they are, and rewritten where that is possible."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from core.base import access
from core.store.files import Corrupt, hashes, pretty, write_file
from core.store.results import npy

OLD = ".parquet"


def upgraded(path: Path, files: dict[str, bytes]) -> dict[str, bytes]:
    """The files of an entry with arrays in place of tables, on disk too unless its folder cannot be written.

    Raises:
        Corrupt: a table cannot be read.
    """
    tables = [name for name in files if name.endswith(OLD)]
    if not tables:
        return files
    arrays = {name: array for table in tables for name, array in _arrays(table, files[table])}
    files = {name: content for name, content in files.items() if name not in tables} | arrays
    try:
        status = (path / "manifest.json").stat()
        for name, content in {**arrays, "manifest.json": pretty(hashes(files))}.items():
            write_file(path / name, content)
        os.utime(path / "manifest.json", ns=(status.st_atime_ns, status.st_mtime_ns))  # entries are listed by it
        for table in tables:
            (path / table).unlink(missing_ok=True)
    except (OSError, access.Refused):  # it is read as it is
        pass
    return files


def _arrays(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """The arrays of a table: index columns for the axes in its name, a column for each array, rows of NaN left out."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    axes = name.removesuffix(OLD).split("-")
    try:
        table = parquet.ParquetFile(pa.BufferReader(content)).read(use_threads=False)
        shape = json.loads(table.schema.metadata[b"shape"])
        places = tuple(table[axis].to_numpy() for axis in axes)
        for field in table.column_names[len(axes) :]:
            array = np.full(shape, np.nan, np.float32)
            array[places] = table[field].to_numpy()
            yield f"{field}.npy", npy(array)
    except (KeyError, pa.ArrowInvalid, IndexError, OSError, TypeError, ValueError) as error:
        raise Corrupt(f"{name}: {error}") from error
