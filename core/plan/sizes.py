"""Bytes of a model in each form that its weights can be written in, counted without reading one."""

from typing import NamedTuple

from core.kinds.quantised import FORMS, HALF


class Counts(NamedTuple):
    """How many numbers a model has: in the linears of its layers, in matrices beside them, in vectors."""

    linears: int
    matrices: int  # embeddings; tied ones once
    vectors: int  # norms and biases


DENSE, MASKED, PATTERN, SMALLEST = "float16", "float16, zeros as a bitmask", "2:4", "Q4_0"


def total(counts: Counts, bits: float, gguf: bool) -> int:
    """Bytes of all weights, without the names, settings and vocabulary that a file holds beside them.

    What lies beside the linears has half precision, but vectors of a GGUF file have full.

    Args:
        bits: the mean over the linears' weights, with scales and zero points.
    """
    return round(counts.linears * bits / 8) + counts.matrices * HALF // 8 + counts.vectors * (4 if gguf else 2)


def sizes(counts: Counts, own: str, bits: float, gguf: bool = False) -> dict[str, int]:
    """Bytes by form: dense, the form of the pruned or rounded model, and others of few bits.

    Args:
        own: what that form is called.
        bits: a weight of it, on average.
    """
    found = {DENSE: total(counts, HALF, False), own: total(counts, bits, gguf)}
    return found | {name: total(counts, FORMS[name].bits_per_weight, True) for name in ("Q8_0", SMALLEST)}
