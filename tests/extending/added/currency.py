"""Bytes in half precision."""

from core.kinds.currency import Currency

BYTES = Currency("bytes", {"16": 0.0, "8": 0.5})
