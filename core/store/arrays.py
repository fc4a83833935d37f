"""Checks of a stranger's `.npy` files before numpy makes arrays of them."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np

from core.store.results import NUMBER, axes_of
from core.store.zips import refuse

NUMBERS = 2**24  # in one result


def check_arrays(folder: str, files: dict[str, bytes], form: type | None) -> None:
    """Check that files are the arrays of a result, as large as they say, and at one on the length of every axis.

    Args:
        folder: what the refusal calls the place, `kind/key`.
        files: name -> content, arrays only.
        form: the result's dataclass; None for an entry without arrays.

    Raises:
        UserError: the first thing that was wrong.
    """
    fields = axes_of(form) if form else {}
    expected = {f"{name}.npy" for name in fields}
    for file in sorted(expected ^ files.keys()):
        refuse(f"{folder}/{file}", "is missing" if file in expected else "is no file of such a result")
    lengths: dict[str, int] = {}
    numbers = 0
    for name, axes in fields.items():
        file = f"{folder}/{name}.npy"
        shape = _shape(file, files[f"{name}.npy"], len(axes))
        if any(lengths.setdefault(axis, length) != length for axis, length in zip(axes, shape, strict=True)):
            refuse(file, f"has the shape {shape}, which the other arrays beside it contradict")
        numbers += math.prod(shape)
        if numbers > NUMBERS:
            refuse(file, f"is one array too many: a result of this program holds at most {NUMBERS} numbers")


def _shape(name: str, data: bytes, axes: int) -> tuple[int, ...]:
    """The shape that an array claims, which its bytes must fill exactly: reading it takes no more memory than them."""
    version, shape, fortran, number, begins = _header(name, data)
    if version != (1, 0) or fortran or number != NUMBER:
        refuse(name, "is not written as this program writes arrays, in float32 and row by row: make the pack again")
    if len(shape) != axes or not all(type(length) is int and 0 < length <= NUMBERS for length in shape):
        refuse(name, f"has a shape that is not {axes} whole numbers from 1 to {NUMBERS}")
    if math.prod(shape) * NUMBER.itemsize != len(data) - begins:
        refuse(name, f"claims the shape {shape} and holds more or less than that: copy or make the pack again")
    return shape


def _header(name: str, data: bytes) -> tuple[Any, ...]:
    """Version, shape, whether column by column, kind of number, and where the numbers begin."""
    content = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(content)
        return version, *np.lib.format.read_array_header_1_0(content), content.tell()
    except Exception:  # numpy evaluates the header as a literal and makes a dtype of it: nearly anything may be raised
        refuse(name, "is no array that numpy can read: copy or make the pack again")
