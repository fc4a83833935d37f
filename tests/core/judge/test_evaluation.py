"""What a pruned model loses: every number against a plain reimplementation, on every family."""

import copy
import dataclasses

import numpy as np
import pytest
import torch

from core.models import evaluate, losses, reference
from tests import tiny


def changed(family, seed=1):
    """A copy of the family's model in which half of each linear's weights are zero."""
    loaded = tiny.loaded(family)
    model = copy.deepcopy(loaded.model)
    generator = torch.Generator().manual_seed(seed)
    layers = dataclasses.replace(loaded, model=model).layers
    for parameter in layers.parameters():
        if parameter.ndim > 1:
            parameter.mul_(torch.rand(parameter.shape, generator=generator) < 0.5)
    return dataclasses.replace(loaded, model=model)


def spoilt(spoil):
    """A copy of the llama in which what `spoil` picks is not a number."""
    copied = dataclasses.replace(tiny.loaded("llama"), model=copy.deepcopy(tiny.loaded("llama").model))
    spoil(copied).fill_(torch.nan)
    return copied


def log_softmax(model, tokens):
    with torch.inference_mode():
        return model(input_ids=tokens, use_cache=False).logits.double().log_softmax(-1)


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_losses_divergence_and_agreement_are_those_of_plain_forwards(family):
    loaded, tokens = tiny.loaded(family), tiny.windows(3, 20).tokens
    dense = reference(loaded, tokens)
    assert dense.shape == (3, 20, tiny.WIDTH) and dense.dtype == loaded.model.dtype
    log_p = log_softmax(loaded.model, tokens)[:, :-1]
    for judged, least in ((loaded, 0), (changed(family), 1e-3)):
        found, log_q = evaluate(judged, tokens, dense), log_softmax(judged.model, tokens)[:, :-1]
        nll = -log_q.gather(-1, tokens[:, 1:, None]).mean((1, 2))
        kl = (log_p.exp() * (log_p - log_q)).sum(-1).mean(-1)
        same = (log_p.argmax(-1) == log_q.argmax(-1)).double().mean(-1)
        assert float(kl.min()) >= least and (same.min() < 1) == (least > 0)
        np.testing.assert_allclose(found.nll, nll.numpy(), rtol=1e-5)
        np.testing.assert_allclose(found.kl, kl.numpy(), rtol=1e-3, atol=1e-7)
        np.testing.assert_allclose(found.agreement, same.numpy(), atol=1e-12)
    again = evaluate(loaded, tokens, dense, dense=True)
    np.testing.assert_array_equal(again.nll, evaluate(loaded, tokens, dense).nll)
    assert not again.kl.any() and again.agreement.all()


def test_batches_and_chunks_change_nothing(monkeypatch):
    loaded, pruned, tokens = tiny.loaded("llama"), changed("llama"), tiny.windows(5, 20).tokens
    usual = evaluate(pruned, tokens, reference(loaded, tokens))
    monkeypatch.setattr(losses, "BATCH", 41)
    monkeypatch.setattr(losses, "CHUNK", 7)
    told = []
    small = evaluate(pruned, tokens, reference(loaded, tokens, told.append), told.append)
    assert told == [2, 4, 5, 2, 4, 5]
    for name in ("nll", "kl", "agreement"):
        np.testing.assert_allclose(getattr(small, name), getattr(usual, name), rtol=1e-4)


@pytest.mark.parametrize("layer", [0, 2])
def test_the_first_broken_layer_is_named(layer):
    broken = spoilt(lambda of: of.layers[layer].mlp.down_proj.weight[0, 0])
    tokens = tiny.windows(2, 12).tokens
    found = evaluate(broken, tokens, reference(tiny.loaded("llama"), tokens))
    assert losses.first_broken(broken, tokens, found.nll) == layer
    assert np.isnan(found.nll).all() and np.isnan(found.kl).all() and np.isnan(found.agreement).all()
