"""Checks of a stranger's `.npy` files before numpy makes arrays of them."""

from __future__ import annotations

import math

from core.store.results import NUMBER, axes_of, header
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
    try:
        shape, start = header(data)
    except ValueError:
        refuse(name, "is not written as this program writes arrays, in float32 and row by row: make the pack again")
    if len(shape) != axes or not all(0 < length <= NUMBERS for length in shape):
        refuse(name, f"has a shape that is not {axes} whole numbers from 1 to {NUMBERS}")
    if math.prod(shape) * NUMBER.itemsize != len(data) - start:
        refuse(name, f"claims the shape {shape} and holds more or less than that: copy or make the pack again")
    return shape
