"""Bytes in half precision."""

from core.methods.budget_unit import BudgetUnit

BYTES = BudgetUnit("bytes", {"16": 0.0, "8": 0.5})
