"""Walks that break the model on purpose, and processes that are killed on the way."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from core.prune import pruned_model


def no_pruning(patch):
    """No model is pruned from here on."""
    patch.setattr(pruned_model, "prune_layers", lambda *_: pytest.fail("a model was pruned"))


def breaking(walk, breaks):
    """The same walk, on a model whose layer 1 cannot be pruned where the plan `breaks`: its inputs are not finite."""

    def walked(loaded, tokens, plan, *rest):
        if breaks(plan):
            loaded.layers[1].input_layernorm.weight.data.fill_(float("inf"))
        return walk(loaded, tokens, plan, *rest)

    return walked


def spoiling(walk, layer):
    """The same walk, after which a layer puts out what is not a number."""

    def walked(loaded, *rest):
        achieved = walk(loaded, *rest)
        with torch.no_grad():
            [each for each in loaded.layers[layer].parameters() if each.ndim > 1][-1].fill_(float("nan"))
        return achieved

    return walked


def killed(code, *arguments):
    """The first line that a Python process of its own writes, which is killed thereupon."""
    around = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-c", code, *map(str, arguments)]
    with subprocess.Popen(words, env=around, stdout=subprocess.PIPE, text=True) as child:
        try:
            return child.stdout.readline()
        finally:
            child.kill()
