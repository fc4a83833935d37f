"""Exact recipes of tiny models."""

import numpy as np

from core.methods import Treatment
from core.requests import ExactRecipe
from tests import tiny


def exact(pruner="wanda", sparsity=0.5, **options):
    """sparsity: one number for every layer, or one for each layer, or for each layer and linear."""
    spread = np.full(tiny.LAYERS, sparsity) if np.ndim(sparsity) == 0 else np.asarray(sparsity)
    read = tiny.windows(6, 16).spec if options.get("repair") else None
    method = Treatment(pruner, options.get("repair")).repair_method
    return ExactRecipe(pruner=pruner, sparsity=spread.tolist(), calibration=read, repair_method=method, **options)
