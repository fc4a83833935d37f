"""Wanda and SparseGPT beside llm-compressor's, on the same calibration windows and judged on the same others."""

import copy
import tempfile
import time
from dataclasses import replace

import numpy as np
import torch
from llmcompressor import oneshot
from llmcompressor.modifiers.pruning import SparseGPTModifier, WandaPruningModifier
from torch.utils.data import DataLoader

from core.models import evaluate, reference
from core.prune import count_zeros, prune_layers
from tests.bench.peers.timing import Ran
from tests.builders.recipes import exact

THEIRS = {"wanda": WandaPruningModifier, "sparsegpt": SparseGPTModifier}


def table(loaded, calibration, windows, sparsity):
    """Two rows per pruner; the first row is the heads.

    Args:
        calibration, windows: (windows, length) tokens.
    """
    heads = ["", "seconds", "times this product", "zeros", "perplexity", "weights zeroed by both"]
    return [heads, *(row for pruner in THEIRS for row in _rows(loaded, calibration, windows, sparsity, pruner))]


def _rows(loaded, calibration, windows, sparsity, pruner):
    plan = exact(pruner, np.full(len(loaded.layers), sparsity))
    own = _timed(loaded, lambda pruned: prune_layers(pruned, calibration, plan))
    theirs = _timed(loaded, lambda pruned: _oneshot(pruned, calibration, sparsity, pruner))
    for name, each in (("this product", own), ("llm-compressor", theirs)):
        times, shared = each.median / own.median, _shared(each.found, own.found)
        loss = evaluate(each.found, windows, reference(each.found, windows), dense=True).nll.mean()
        zeros = np.nanmean(count_zeros(each.found))
        yield [f"{pruner}, {name}", f"{each.median:.1f}", f"{times:.2f}", f"{zeros:.4f}", f"{np.exp(loss):.2f}",
               f"{shared:.4f}"]  # fmt: skip


def _timed(loaded, prune):
    """A pruned copy, and what that took."""
    pruned = replace(loaded, model=copy.deepcopy(loaded.model))
    began = time.perf_counter()
    prune(pruned)
    return Ran(pruned, (time.perf_counter() - began,))


def _oneshot(loaded, calibration, sparsity, pruner):
    """What llm-compressor does, with the layers as its targets and its own defaults for the rest.

    Its usual targets are linears, of which it prunes the head as well: a target's own name gets a dot there, by which
    `ignore` does not know it.
    """
    rows = [{"input_ids": ids, "attention_mask": torch.ones_like(ids)} for ids in calibration]
    layers = type(loaded.layers[0]).__name__
    recipe = THEIRS[pruner](sparsity=sparsity, mask_structure="0:0", targets=[layers])
    config = loaded.model.config
    with tempfile.TemporaryDirectory() as folder:  # it reads the configuration where the model says it came from
        if hasattr(config, "quantization_config"):  # of the file that the weights were dequantised from
            del config.quantization_config
        config.save_pretrained(folder)
        config.name_or_path = folder
        oneshot(model=loaded.model, processor=loaded.tokenizer, dataset=DataLoader(rows, batch_size=4), recipe=recipe)


def _shared(one, other):
    """The share of one's zeros that are the other's too."""
    both = total = 0
    for mine, yours in zip(one.model.parameters(), other.model.parameters(), strict=True):
        gone = mine == 0
        both, total = both + int((gone & (yours == 0)).sum()), total + int(gone.sum())
    return both / total
