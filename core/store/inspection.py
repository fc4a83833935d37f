"""A stranger's tables, looked at before they are decoded: what a file claims decides how much memory decoding takes.

Parquet says sizes in three places: our shape, the footer, and the header of every page. A page of a few kilobytes may
claim, and fill, two gigabytes, and pyarrow does not show its header; of a damaged footer pyarrow shows a column only to
end the whole process. So both are read here.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.parquet as parquet

from core.specs.errors import UserError
from core.store.files import Corrupt
from core.store.results import axes_of
from core.store.tables import decode

NUMBERS = 50_000_000  # in one result, once it is in memory
PAGES = 256 * 2**20  # bytes of a table's pages, uncompressed
FOOTER = 2**20  # bytes
HEADER = 2**16  # bytes, of a page
DEPTH = 16  # of structures in a footer

Structure = dict[int, Any]  # number of a field -> whole number, bytes, bool, list or structure
Columns = dict[tuple[str, ...], list[str]]  # axes -> fields over them


def check_tables(folder: str, files: dict[str, bytes], form: type | None) -> None:
    """Check that files are the tables of a result, small enough, at one on the length of every axis, and readable.

    Args:
        folder: what the refusal calls the place, `kind/key`.
        files: name -> content, tables only.
        form: the result's dataclass; None for an entry without tables.

    Raises:
        UserError: the first thing that was wrong.
    """
    columns: Columns = {}
    for name, axes in (axes_of(form) if form else {}).items():
        columns.setdefault(axes, []).append(name)
    expected = {_file(axes) for axes in columns}
    for file in sorted(expected ^ files.keys()):
        refuse(f"{folder}/{file}", "is missing" if file in expected else "is no file of such a result")
    lengths: dict[str, int] = {}
    numbers = 0
    for axes, names in columns.items():
        file = f"{folder}/{_file(axes)}"
        shape = _shape(file, files[_file(axes)], axes, names)
        numbers += math.prod(shape) * len(names)
        if numbers > NUMBERS:
            refuse(file, f"claims the shape {shape}: a result of this program is smaller")
        if any(lengths.setdefault(axis, length) != length for axis, length in zip(axes, shape, strict=True)):
            refuse(file, f"has the shape {shape}, which the other tables beside it contradict")
    try:
        decode(files, form)
    except (Corrupt, pa.ArrowException, OSError, MemoryError) as error:
        raise UserError(f"{folder} holds a table that cannot be read: make the pack again") from error


def _file(axes: tuple[str, ...]) -> str:
    return "-".join(axes) + ".parquet"


def _shape(name: str, data: bytes, axes: tuple[str, ...], names: list[str]) -> tuple[int, ...]:
    """The shape a table claims; its columns, rows and pages must keep to it."""
    try:
        rows, pages = sizes(data)
        schema = parquet.ParquetFile(pa.BufferReader(data)).schema_arrow
        shape = json.loads((schema.metadata or {})[b"shape"])
    except (pa.ArrowException, OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{name} cannot be read as a table with a shape: make the pack again") from error
    kinds = [pa.int16()] * len(axes) + [pa.float32()] * len(names)
    if schema.names != [*axes, *names] or schema.types != kinds:
        refuse(name, f"has other columns than {', '.join([*axes, *names])}")
    if not isinstance(shape, list) or len(shape) != len(axes) or not all(type(n) is int and n >= 0 for n in shape):
        refuse(name, f"has a shape that is not {len(axes)} whole numbers")
    if max(shape) > NUMBERS or rows > math.prod(shape):
        refuse(name, f"holds {rows} rows, which does not go with its shape {shown(str(shape))}")
    if pages > PAGES:
        refuse(name, f"unpacks to {pages} bytes: a table of this program is smaller")
    return tuple(shape)


# --- sizes in the file ---------------------------------------------------------------------------------------------
# The numbers of the fields are those of https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift


def sizes(data: bytes) -> tuple[int, int]:
    """Rows of a Parquet file, and bytes of all its pages, uncompressed, by their own headers.

    Raises:
        ValueError: it is none, or its footer, its columns and its pages contradict one another.
        LookupError: something is missing.
    """
    length = int.from_bytes(data[-8:-4], "little")
    if data[-4:] != b"PAR1" or not 0 < length <= min(FOOTER, len(data) - 12):
        raise ValueError("no footer of a Parquet file")
    footer, end = _structure(data[-8 - length : -8], 0)
    pages = sum(_group(data[: -8 - length], group) for group in footer[4])
    rows = [group[3] for group in footer[4]]
    if end != length or sum(rows) != footer[3] or any(each < 0 for each in rows):
        raise ValueError("the groups have another number of rows than the table")
    return footer[3], pages


def _group(data: bytes, group: Structure) -> int:
    """Bytes of all pages of a row group; decoding reserves memory for the rows that each of its columns claims."""
    columns = [chunk[3] for chunk in group[1]]
    if any(column[5] != group[3] for column in columns):
        raise ValueError("a column has another number of rows than its group")
    return sum(_column(data, min(column[9], column.get(11, column[9])), column[7]) for column in columns)


def _column(data: bytes, at: int, length: int) -> int:
    """Bytes of the pages of a column, which must fill its place in the file exactly."""
    end = at + length
    if not 4 <= at <= end <= len(data):
        raise ValueError("a column lies outside the file")
    total = 0
    while at < end:
        page, length = _structure(data[at : at + HEADER], 0)
        if page[2] < 0 or page[3] < 0:
            raise ValueError("a page without a size")
        total += page[2]
        at += length + page[3]
    if at != end:
        raise ValueError("a page runs over the end of its column")
    return total


# --- thrift's compact protocol -------------------------------------------------------------------------------------
# https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md


def _structure(data: bytes, at: int, depth: int = 0) -> tuple[Structure, int]:
    """The structure at a place, and the place behind it."""
    if depth > DEPTH:
        raise ValueError("structures nested too deep")
    fields: Structure = {}
    field = 0
    while data[at]:
        step, kind = data[at] >> 4, data[at] & 15
        at += 1
        if step:
            field += step
        else:
            field, at = _zigzag(data, at)
        if field in fields or not 0 < field < 2**15:
            raise ValueError("a field twice, or one that another reader would take for another")
        fields[field], at = (kind == 1, at) if kind in (1, 2) else _value(data, at, kind, depth)
    return fields, at + 1


def _value(data: bytes, at: int, kind: int, depth: int) -> tuple[Any, int]:
    match kind:
        case 1 | 2 | 3:  # truth in a list, a byte
            return data[at], at + 1
        case 4 | 5 | 6:
            return _zigzag(data, at)
        case 8:
            length, at = _varint(data, at)
            return data[at : at + length], at + length
        case 9 | 10:
            return _list(data, at, depth)
        case 12:
            return _structure(data, at, depth + 1)
    raise ValueError(f"no value of kind {kind} is expected")


def _list(data: bytes, at: int, depth: int) -> tuple[list[Any], int]:
    count, kind = data[at] >> 4, data[at] & 15
    at += 1
    if count == 15:
        count, at = _varint(data, at)
    found = []
    for _ in range(count):
        value, at = _value(data, at, kind, depth + 1)
        found.append(value)
    return found, at


def _zigzag(data: bytes, at: int) -> tuple[int, int]:
    number, at = _varint(data, at)
    return (number >> 1) ^ -(number & 1), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
    raise ValueError("a number without an end")


# --- words ---------------------------------------------------------------------------------------------------------


def refuse(name: str, why: str) -> NoReturn:
    """Refuse a member of a pack.

    Raises:
        UserError: always.
    """
    raise UserError(f"{shown(name)} {why}")


def shown(name: str) -> str:
    """A text that somebody else chose, fit to be printed."""
    text = ascii(name)
    return text if len(text) <= 80 else f"{text[:76]}...'"
