"""What a pruned model loses: every number against a plain reimplementation, on every family."""

import copy
import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from core.evaluate import perplexity
from core.evaluate.perplexity import evaluate, reference
from core.evaluate.talking import Talker
from core.evaluate.writing import continuation
from core.measure.answers import Lab
from core.models.loading import Loaded
from tests import tiny


def changed(family: str, seed: int = 1) -> Loaded:
    """A copy of the family's model in which half of each linear's weights are zero."""
    loaded = tiny.loaded(family)
    model = copy.deepcopy(loaded.model)
    generator = torch.Generator().manual_seed(seed)
    layers = dataclasses.replace(loaded, model=model).layers
    for parameter in layers.parameters():
        if parameter.ndim > 1:
            parameter.mul_(torch.rand(parameter.shape, generator=generator) < 0.5)
    return dataclasses.replace(loaded, model=model)


def spoilt(spoil: Callable[[Loaded], Tensor]) -> Loaded:
    """A copy of the llama in which what `spoil` picks is not a number."""
    copied = dataclasses.replace(tiny.loaded("llama"), model=copy.deepcopy(tiny.loaded("llama").model))
    spoil(copied).fill_(torch.nan)
    return copied


def log_softmax(model: PreTrainedModel, tokens: Tensor) -> Tensor:
    with torch.inference_mode():
        return model(input_ids=tokens, use_cache=False).logits.double().log_softmax(-1)


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_losses_divergence_and_agreement_are_those_of_plain_forwards(family: str) -> None:
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


def test_batches_and_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded, pruned, tokens = tiny.loaded("llama"), changed("llama"), tiny.windows(5, 20).tokens
    usual = evaluate(pruned, tokens, reference(loaded, tokens))
    monkeypatch.setattr(perplexity, "BATCH", 41)
    monkeypatch.setattr(perplexity, "CHUNK", 7)
    told: list[int] = []
    small = evaluate(pruned, tokens, reference(loaded, tokens, told.append), told.append)
    assert told == [2, 4, 5, 2, 4, 5]
    for name in ("nll", "kl", "agreement"):
        np.testing.assert_allclose(getattr(small, name), getattr(usual, name), rtol=1e-4)


@pytest.mark.parametrize("layer", [0, 2])
def test_the_first_broken_layer_is_named(layer: int) -> None:
    broken = spoilt(lambda of: of.layers[layer].mlp.down_proj.weight[0, 0])
    tokens = tiny.windows(2, 12).tokens
    found = evaluate(broken, tokens, reference(tiny.loaded("llama"), tokens))
    assert perplexity.first_broken(broken, tokens, found.nll) == layer
    assert np.isnan(found.nll).all() and np.isnan(found.kl).all() and np.isnan(found.agreement).all()
    assert continuation(Talker(broken, Lab(broken).masks), "The heron", 5) == "", "it ends where the logits do"


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_a_continuation_is_the_likeliest_token_each_time(family: str) -> None:
    loaded = tiny.loaded(family)
    prompt = tiny.SENTENCES[0][:30]
    ids = loaded.tokenizer(prompt, return_tensors="pt")["input_ids"]
    length = ids.shape[1]
    with torch.inference_mode():
        for _ in range(10):
            best = loaded.model(input_ids=ids, use_cache=False).logits[0, -1].argmax()
            if best == loaded.tokenizer.eos_token_id:
                break
            ids = torch.cat([ids, best.view(1, 1)], dim=1)
    whole = loaded.tokenizer.decode(ids[0], skip_special_tokens=True)
    assert length < ids.shape[1]
    assert continuation(Talker(loaded, Lab(loaded).masks), prompt, 10) == whole.removeprefix(prompt).rstrip("\ufffd")


def test_a_models_own_generation_settings_are_put_aside() -> None:
    loaded = tiny.loaded("llama")
    fussy = dataclasses.replace(loaded, model=copy.deepcopy(loaded.model))
    fussy.model.generation_config.update(repetition_penalty=50.0, suppress_tokens=list(range(200)), do_sample=True)
    found = [continuation(Talker(each, Lab(each).masks), "The heron", 8) for each in (fussy, loaded)]
    assert found[0] == found[1]


def test_a_prompt_that_leaves_no_room_is_refused(refused) -> None:
    loaded = tiny.loaded("llama")
    with refused("44"):
        continuation(Talker(loaded, Lab(loaded).masks), "word " * 60, 20)
