"""What pruning was measured to cost: perplexity, changes with their intervals, accuracies."""

from core.show.figures.evaluation.accuracies import accuracies
from core.show.figures.evaluation.changes import change_axis, changes
from core.show.figures.evaluation.correction import (
    PAPER,
    PAPER_ACCURACY,
    PAPER_PERPLEXITY,
    PAPER_TARGET,
    SHUFFLES,
    correction,
)
from core.show.figures.evaluation.perplexity import Curve, perplexity
