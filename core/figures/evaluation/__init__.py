"""What pruning was measured to cost: perplexity, changes with their intervals, accuracies."""

from core.analysis.phrases import FEWEST_SHUFFLES, between, count, listed, not_a_number, said
from core.figures.evaluation.accuracies import accuracies
from core.figures.evaluation.changes import changes
from core.figures.evaluation.correction import (
    PAPER,
    PAPER_ACCURACY,
    PAPER_PERPLEXITY,
    PAPER_TARGET,
    SHUFFLES,
    correction,
)
from core.figures.evaluation.perplexity import Curve, perplexity
from core.figures.evaluation.shared import change_axis

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
