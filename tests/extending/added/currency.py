"""Bytes in half precision."""

from __future__ import annotations

from core.kinds.currency import Currency

BYTES = Currency("bytes", "bytes a weight, in half precision", lambda sparsity: 2 * sparsity)
