"""What pruning was measured to cost: perplexity, changes with their intervals, accuracies."""

from core.figures.evaluation.accuracies import accuracies
from core.figures.evaluation.changes import change_axis, changes
from core.figures.evaluation.correction import (
    PAPER,
    PAPER_ACCURACY,
    PAPER_PERPLEXITY,
    PAPER_TARGET,
    SHUFFLES,
    correction,
)
from core.figures.evaluation.perplexity import Curve, perplexity
