"""Bytes in half precision."""

from core.kinds.currency import Currency

BYTES = Currency("bytes", "bytes a weight, in half precision", lambda sparsity: 2 * sparsity)
