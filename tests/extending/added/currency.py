"""Bytes in half precision."""

from core.methods import BudgetUnit, Level

BYTES = BudgetUnit("bytes", (Level("16", 0.0), Level("8", 0.5)))
