"""Weights packed as a GGUF file holds them: by the `gguf` package, or with importance by ggml's own quantisers."""

import ctypes
from functools import cached_property
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from core.base import Array, UserError, frozen

OF_GGUF = ("F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")  # types that the `gguf` package writes
MISSING = (
    "K- and IQ-types are rounded by ggml itself, which is missing: run `pip install ggml-python>=0.0.45`, which builds "
    "it in a minute with cmake and a C++ compiler"
)


@frozen
class Packed:
    """A matrix in a GGUF type."""

    kind: str
    data: NDArray[np.uint8]  # (out, bytes of a row); of F16 and F32 in these numbers
    importance: Array | None = None  # (in,) what a squared error of an input's weights counted

    @cached_property
    def values(self) -> Array:
        """(out, in) float32."""
        import gguf

        return gguf.dequantize(self.data, gguf.GGMLQuantizationType[self.kind])


def insist_on_ggml() -> None:
    """Refuse K- and IQ-types where ggml is missing.

    Raises:
        UserError: says what to install.
    """
    if find_spec("ggml") is None:
        raise UserError(MISSING)


def pack(weight: Array, kind: str, importance: Array | None = None) -> Packed:
    """Round to a GGUF type.

    Without importance the types of `OF_GGUF` are rounded by the `gguf` package, which needs no compiler and gives the
    same bytes as ggml but for some ties.

    Args:
        weight: (out, in) float32.
        importance: (in,) as of `QuantFormat` rounding; None: all alike.

    Raises:
        UserError: ggml is needed and missing, or the type needs importance and there is none, or it is not finite.
    """
    import gguf

    if importance is None and kind in OF_GGUF:
        return Packed(kind, gguf.quantize(weight, gguf.GGMLQuantizationType[kind]))
    insist_on_ggml()
    import ggml

    number = gguf.GGMLQuantizationType[kind].value
    if importance is None and ggml.ggml_quantize_requires_imatrix(number):
        raise UserError(f"{kind} needs an importance matrix, and none is known of this one: choose a K-type")
    if importance is not None and not np.isfinite(importance).all():
        raise UserError("the importance of its inputs is not finite: measure it again in float32")
    rows, width = weight.shape
    group, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]]
    data = np.empty((rows, width // group * size), np.uint8)
    source, weights = np.ascontiguousarray(weight, np.float32), None
    if importance is not None:
        weights = np.ascontiguousarray(importance, np.float32).ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    pointer = source.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    ggml.ggml_quantize_chunk(number, pointer, data.ctypes.data, 0, rows, width, weights)
    return Packed(kind, data, importance)
