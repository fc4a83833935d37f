"""What pruning was measured to cost: perplexity, changes with their intervals, accuracies."""

from pages.ui.charts.evaluation.accuracies import accuracies
from pages.ui.charts.evaluation.changes import changes, said
from pages.ui.charts.evaluation.correction import PAPER, PAPER_ACCURACY, PAPER_PERPLEXITY, PAPER_TARGET, correction
from pages.ui.charts.evaluation.perplexity import Curve, not_a_number, perplexity
from pages.ui.charts.evaluation.shared import change_axis, count

__all__ = [
    "PAPER",
    "PAPER_ACCURACY",
    "PAPER_PERPLEXITY",
    "PAPER_TARGET",
    "Curve",
    "accuracies",
    "change_axis",
    "changes",
    "correction",
    "count",
    "not_a_number",
    "perplexity",
    "said",
]
