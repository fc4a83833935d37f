"""What pruning was measured to cost: perplexity, changes with their intervals, accuracies."""

from pages.ui.charts.evaluation.accuracies import accuracies
from pages.ui.charts.evaluation.changes import between, changes, said
from pages.ui.charts.evaluation.correction import (
    FEWEST_SHUFFLES,
    PAPER,
    PAPER_ACCURACY,
    PAPER_PERPLEXITY,
    PAPER_TARGET,
    SHUFFLES,
    correction,
)
from pages.ui.charts.evaluation.perplexity import Curve, not_a_number, perplexity
from pages.ui.charts.evaluation.shared import change_axis, count, listed

__all__ = [
    "FEWEST_SHUFFLES",
    "PAPER",
    "PAPER_ACCURACY",
    "PAPER_PERPLEXITY",
    "PAPER_TARGET",
    "SHUFFLES",
    "Curve",
    "accuracies",
    "between",
    "change_axis",
    "changes",
    "correction",
    "count",
    "listed",
    "not_a_number",
    "perplexity",
    "said",
]
