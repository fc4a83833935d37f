"""Bytes in half precision."""

from core.methods.budget_unit import Currency

BYTES = Currency("bytes", {"16": 0.0, "8": 0.5})
