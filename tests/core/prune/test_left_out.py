"""Layers of share 1 are left out of the walk, of every run after it, and come back."""

import numpy as np
import pytest
import torch

from core.models import losses
from core.models.saving import without_layers
from core.prune import walk
from core.prune.calibration import DensePath
from core.prune.pruned_model import restored
from core.prune.walk import prune_layers
from tests import tiny
from tests.builders.recipes import exact

TOKENS = tiny.windows(6, 16).tokens
GONE = [1, 3]  # the last one too
SHARES = (0.5, 1, 0.25, 1)


def logits(of):
    with torch.inference_mode():
        return of.model(input_ids=TOKENS, use_cache=False).logits


@pytest.mark.parametrize("family", tiny.PRUNABLE)  # some add a bias, or norm what a layer gives
def test_a_model_without_some_layers_is_one_that_never_had_them(family):
    of, whole = tiny.fresh(family), logits(tiny.fresh(family))
    before = tiny.state(of.model)
    with without_layers(of.model, GONE):
        lacking, stream = logits(of), losses.last_stream(of, TOKENS)
    with restored(of):
        achieved = prune_layers(of, TOKENS, exact("left_out", (0, 1, 0, 1)))
        assert (achieved[GONE] == 1).all() and (np.delete(achieved, GONE, 0) < 0.1).all()
        assert torch.equal(logits(of), lacking) and not torch.equal(lacking, whole)
        assert torch.equal(losses.last_stream(of, TOKENS), stream)
    assert torch.equal(logits(of), whole)
    tiny.assert_untouched(of.model, before)


@pytest.mark.parametrize("pruner", ["wanda", "sparsegpt", "magnitude"])
def test_the_layers_that_stay_are_pruned_as_if_the_others_had_never_been(pruner):
    of, short = tiny.fresh("bloom"), tiny.fresh("bloom")
    prune_layers(of, TOKENS, exact(pruner, SHARES))
    with without_layers(short.model, GONE):
        prune_layers(short, TOKENS, exact(pruner, np.delete(SHARES, GONE)))
        assert torch.equal(logits(of), logits(short))
    pairs = zip(tiny.weights(of).values(), tiny.weights(short).values(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


@pytest.mark.parametrize("repair", ["refit_dense", "blockwise"])
def test_the_dense_path_keeps_the_layers_that_the_pruned_one_leaves_out(repair, monkeypatch):
    paths = []
    monkeypatch.setattr(walk, "DensePath", lambda *given: paths.append(DensePath(*given)) or paths[0])
    of = tiny.fresh("llama")
    prune_layers(of, TOKENS, exact("wanda", SHARES, repair=repair))
    dense = losses.last_stream(tiny.fresh("llama"), TOKENS)
    assert torch.allclose(torch.cat(paths[0].streams), dense, rtol=0, atol=1e-5 * float(dense.abs().max()))


@pytest.mark.parametrize(
    ("pruner", "shares", "said"),
    [
        ("left_out", (0, 0.5, 0, 1), "the sparsity of layer 1 is 0.5: it must be 0, or be 1"),
        ("wanda", ((0.5, 1) * 3 + (1,), *((0.5,) * 7,) * 3), "the sparsity of layer 0 is 1: it must lie from 0"),
    ],
)
def test_what_cannot_be_left_out_is_refused(pruner, shares, said, refused):
    with refused(said):
        prune_layers(tiny.fresh("llama"), TOKENS, exact(pruner, shares))
