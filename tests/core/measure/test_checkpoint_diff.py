"""Two checkpoints: layers taken from the other one by one, the whole of it, and its weights."""

import copy
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from core.measure import checkpoint_diff
from core.models import Source
from core.store import OtherCheckpoint
from tests import families, tiny

OTHER = "0123456789abcdef"
ROUNDING = 1e-6  # nats of divergence that float32 makes of none


def changed(of, change):
    """A copy of a model whose parameters, by name, were changed in place."""
    model = copy.deepcopy(of.model)
    change(dict(model.named_parameters(remove_duplicate=False)))
    return replace(of, model=model, source=Source("the other", Path("nowhere"), None, OTHER, None))


def at(layer, name, factor):
    """Scale the tensors of a layer whose name ends so."""

    def scale(parameters):
        found = [each for key, each in parameters.items() if f".{layer}." in key and key.endswith(name)]
        assert found
        for each in found:
            each.mul_(factor)

    return scale


def compared(of, other, store, engine="wavefront", text=None):
    """What a sweep measures of two models."""
    text = text or tiny.windows(3, 14)
    profile = tiny.profile(of, text, f"checkpoint:{OTHER}")
    tiny.sweep(of, text, profile, store, engine=engine, **{OTHER: other}).run()
    whole, weights = (store.load(each(OTHER)) for each in (profile.cumulative, profile.difference))
    return store.load(profile.unit(profile.measurements[0])), OtherCheckpoint(whole, weights)


@pytest.mark.parametrize("family", [*tiny.FAMILIES, tiny.ODD])
def test_a_change_in_one_layer_is_found_there_and_is_all_that_the_whole_run_sees(family, empty, inference):
    """With one layer changed the other checkpoint is the model with that layer replaced: two ways to one number."""
    of, layer = tiny.loaded(family), 2
    with tiny.untouched(of.model):
        single, its = compared(of, changed(of, at(layer, "", 1.5)), empty)
    elsewhere = np.arange(tiny.LAYERS) != layer
    assert (single.kl[elsewhere] < ROUNDING).all() and not single.final_squared[elsewhere].any()
    assert (single.kl[layer] > 10 * ROUNDING).all()
    whole = its.cumulative
    np.testing.assert_allclose(whole.kl[:, ::4].mean(1), single.kl[layer], rtol=1e-3, atol=ROUNDING)
    np.testing.assert_allclose(whole.flips[:, ::4].mean(1), single.flips[layer])
    np.testing.assert_allclose(whole.log_drift[layer:], single.log_drift[layer, layer:], rtol=1e-4)
    assert np.isneginf(whole.log_drift[:layer]).all() and not whole.entry.any()
    error = its.difference.error
    assert not error[elsewhere].any() and not its.difference.outside.any()
    np.testing.assert_allclose(error[layer][error[layer] > 0], 0.5, rtol=1e-4)


def test_a_change_outside_the_layers_is_told_apart(empty, inference):
    of = tiny.loaded("llama")
    other = changed(of, lambda found: found["model.embed_tokens.weight"].mul_(1.1))
    single, its = compared(of, other, empty)
    assert (single.kl < ROUNDING).all() and not its.difference.error.any()
    errors = dict(zip(of.outside, its.difference.outside, strict=True))
    assert errors.pop("model.embed_tokens.weight") == pytest.approx(0.1, rel=1e-5) and not any(errors.values())
    np.testing.assert_allclose(its.cumulative.entry, 0.1, rtol=1e-5)
    assert its.cumulative.kl.mean() > 0


def test_what_cannot_be_compared_is_refused_in_a_sentence(refused):
    of = tiny.loaded("llama")
    for other, *named in (
        (tiny.loaded("qwen2"), "Qwen2ForCausalLM", "LlamaForCausalLM"),
        (shaped(num_hidden_layers=3), "model.layers.3.", "not there"),
        (shaped(intermediate_size=48), "mlp.gate_proj.weight", "(48, 32)", "(64, 32)"),
        (changed(of, lambda _: None), "equal", "nothing to compare"),
    ):
        with refused(*named):
            checkpoint_diff.refuse_unlike(of, other)
    told = json.loads(of.tokenizer.backend_tokenizer.to_str())
    words = told["model"]["vocab"]
    words["a"], words["b"] = words["b"], words["a"]
    swapped = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(told)))
    with refused("another vocabulary"):
        checkpoint_diff.refuse_unlike(of, replace(changed(of, at(0, "", 2)), tokenizer=swapped))
    words = copy.deepcopy(of.tokenizer)
    words.add_tokens(["a word without an embedding"])
    checkpoint_diff.refuse_unlike(of, replace(changed(of, at(0, "", 2)), tokenizer=words))


def shaped(**settings):
    """A llama of other settings."""
    configuration = families.config("llama", tiny.LAYERS, tiny.WIDTH)
    for name, value in settings.items():
        setattr(configuration, name, value)
    source = Source("the other", Path("nowhere"), None, OTHER, None)
    return replace(tiny.loaded("llama"), model=tiny.filled(configuration), source=source)
