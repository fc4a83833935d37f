"""Bytes of a model in each form that its weights can be written in, counted without reading one."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from core.base.spec import Array
from core.kinds.quantised import FORMS, HALF
from core.kinds.selection import Pattern

Outside = tuple[int, int]  # numbers in matrices beside the linears, as embeddings, and in vectors, as norms and biases


class Row(NamedTuple):
    """A form of all linears; what lies beside them stays in half precision, but vectors of a GGUF file do not."""

    label: str
    bits: Callable[[Array], Array]  # fraction of zeros of each linear -> bits a weight
    gguf: bool = False
    pattern: str | None = None  # the one that zeros have to follow


def _masked(zeros: Array) -> Array:
    return HALF * (1 - zeros) + 1


DENSE = "float16"
ROWS = {
    DENSE: Row("dense, float16", lambda zeros: np.full_like(zeros, HALF)),
    "bitmask": Row("without its zeros, float16 and a bit a weight", _masked),
    "2:4": Row("2:4, float16 and a bit a weight", _masked, pattern="2:4"),
}
ROWS |= {
    name: Row(f"dense, {name}", lambda zeros, bits=FORMS[name].bits_per_weight: np.full_like(zeros, bits), gguf=True)
    for name in ("Q8_0", "Q4_0")
}


def total(weights: Array, bits: Array, outside: Outside, gguf: bool) -> int:
    """Bytes of all weights, without the names, settings and vocabulary that a file holds beside them.

    Args:
        weights: (layers, linears) numbers; NaN where there is no such linear.
        bits: a weight's, with scales and zero points, of each linear.
    """
    matrices, vectors = outside
    return round(np.nansum(weights * bits) / 8) + matrices * HALF // 8 + vectors * (4 if gguf else 2)


def sizes(weights: Array, zeros: Array, outside: Outside, pattern: Pattern | None = None) -> dict[str, int]:
    """Bytes by form, in the order of the table.

    Args:
        weights: (layers, linears) numbers.
        zeros: (layers, linears), or (layers, 1), fraction of zeros.
        pattern: that of the zeros.
    """
    zeros = np.broadcast_to(zeros, weights.shape)
    own = {name: row for name, row in ROWS.items() if row.pattern in (None, pattern and pattern.name)}
    return {name: total(weights, row.bits(zeros), outside, row.gguf) for name, row in own.items()}
