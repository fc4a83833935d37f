"""Results as `.npy` files, the form they travel in; a stranger's are checked before numpy makes arrays of them."""

from __future__ import annotations

import io
import math
from typing import Any, TypeVar

import numpy as np

from core.store.results import axes_of
from core.store.zips import refuse

NUMBERS = 2**24  # in one result
NUMBER = np.dtype("<f4")

Result = TypeVar("Result")


def to_npy(result: object | None) -> dict[str, bytes]:
    """A result dataclass as one float32 file per field, `field.npy`; nothing for None."""
    fields = axes_of(type(result)) if result is not None else {}
    return {f"{name}.npy": _npy(getattr(result, name)) for name in fields}


def from_npy(files: dict[str, bytes], form: type[Result] | None) -> Result | None:
    """The inverse of `to_npy`, in float64, of files that `check_arrays` has let through."""
    if form is None:
        return None
    return form(**{name: _array(files[f"{name}.npy"]) for name in axes_of(form)})


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


def _npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, np.ascontiguousarray(array, NUMBER), allow_pickle=False)
    return content.getvalue()


def _array(data: bytes) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # not a number is not a number, also where its bits say "signal"
        return np.load(io.BytesIO(data), allow_pickle=False).astype(np.float64)
