"""What a budget is counted in, and what pruning saves of it."""

from collections.abc import Callable
from typing import NamedTuple


class Currency(NamedTuple):
    """A currency of budgets."""

    name: str
    label: str  # with its unit
    saves: Callable[[float], float]  # sparsity -> what a weight saves on average


ZEROS = Currency("zeros", "zeros, share of the prunable weights", lambda sparsity: sparsity)
