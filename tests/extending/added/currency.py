"""Bytes in half precision."""

from core.methods.budget_unit import BudgetUnit, Level

BYTES = BudgetUnit("bytes", (Level("16", 0.0), Level("8", 0.5)))
