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


def sizes(counts: Counts, zeros: float, pattern: str | None = None) -> dict[str, int]:
    """Bytes by form.

    Args:
        zeros: fraction of the linears' weights.
        pattern: the N:M pattern that they follow.
    """
    bits = {DENSE: HALF, PATTERN if pattern == PATTERN else MASKED: HALF * (1 - zeros) + 1}
    bits |= {name: FORMS[name].bits_per_weight for name in ("Q8_0", SMALLEST)}
    return {name: total(counts, each, name in FORMS) for name, each in bits.items()}
