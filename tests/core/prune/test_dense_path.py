"""The dense path beside the pruned one: what layers add to their stream, and what outputs lack."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.models import anatomy, record
from core.prune import BACK, DensePath, added, calibration, prune_layers
from tests import families, tiny
from tests.builders.recipes import exact

TOKENS = tiny.windows(6, 16).tokens
NORMED = ("gemma2", "gemma3_text", "olmo2")  # they norm what a linear gives before they add it
DENSE = [family for family in families.FAMILIES if anatomy.is_prunable(tiny.loaded(family).layers)]


def runs(of, tokens=TOKENS):
    with torch.inference_mode():
        return record(of.model, of.layers, tokens)


def read_by(linear, call, stream):
    """What a layer gives on a stream, and what one of its linears reads meanwhile, (tokens, in)."""
    kept = []
    hook = linear.module.register_forward_pre_hook(lambda _, given: kept.append(given[0].flatten(0, -2)))
    found = call(stream)
    hook.remove()
    return found, kept[0]


@pytest.mark.parametrize("family", DENSE)
def test_what_a_layer_adds_is_found_by_trying(family):
    """Two outputs in every family, the last of the attention and the last of the MLP, whatever they are called."""
    of = tiny.loaded(family)
    stack = anatomy.prunable_linears(of.layers[1])
    with torch.inference_mode():
        found = added(runs(of, TOKENS[:1])[1], stack)
    assert len(found) == (0 if family in (*NORMED, tiny.ODD) else 2)
    assert all(each.weight.shape[0] == tiny.WIDTH for each in stack if each.name in found)
    np.testing.assert_allclose(list(found.values()), 1, rtol=1e-4)


@torch.inference_mode()
def test_it_is_found_in_half_precision_beside_a_large_attention_sink():
    of = replace(tiny.loaded("llama"), model=tiny.built("llama").to(torch.float16))
    of.model.get_input_embeddings().weight[1, 3] = 30_000
    found = added(runs(of, torch.ones(1, 16, dtype=torch.long))[0], anatomy.prunable_linears(of.layers[0]))
    assert set(found) == {"self_attn.o_proj", "mlp.down_proj"}


def test_a_factor_is_found_too():
    configuration = families.config("granite", tiny.LAYERS, tiny.WIDTH)
    configuration.residual_multiplier = 0.25
    model = tiny.filled(configuration)
    of = replace(tiny.loaded("granite"), model=model)
    with torch.inference_mode():
        found = added(runs(of, TOKENS[:1])[2], anatomy.prunable_linears(of.layers[2]))
    assert found == pytest.approx({"self_attn.o_proj": 0.25, "mlp.down_proj": 0.25}, rel=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("family", ["llama", "gpt2", "opt", "gpt_neox", "falcon", "phi"])
def test_an_added_output_lacks_what_the_stream_lacks_after_it(family):
    """Of the last that is added: all by which the layer's output is behind the dense path's, on any other stream."""
    of = tiny.loaded(family)
    calls = runs(of)
    call, stack = calls[1], anatomy.prunable_linears(of.layers[1])
    path = DensePath([calls], [call.entry], runs(of, TOKENS[:1]))
    path.enter(1, stack)
    drawn = torch.Generator().manual_seed(1)
    stream = call.entry + 0.1 * torch.randn(call.entry.shape, generator=drawn)
    last = stack[[each.name for each in stack].index([*path.factors][-1])]
    own, x = read_by(last, call, stream)
    path.read = [each for each in stack if each is not last]  # and left as they are
    lacks = (call.exit - own).flatten(0, -2)
    torch.testing.assert_close(
        path.pulls([last], [call], [stream], lambda *_: None, [0])[last.name], BACK * lacks.T @ x, rtol=1e-3, atol=1e-3
    )
    path.leave()
    torch.testing.assert_close(path.streams[0], call.exit)


def drift(of, dense):
    return float(((runs(of)[-1].exit - dense).norm() / dense.norm()).item())


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2", "falcon", tiny.ODD])
def test_a_walk_ends_nearer_to_the_dense_model_than_by_refit(family):
    dense = runs(tiny.loaded(family))[-1].exit
    left = {}
    for repair_name in ("refit", "refit_dense"):
        of = tiny.fresh(family)
        prune_layers(of, TOKENS, exact("wanda", 0.6, true_sequential=True, repair=repair_name))
        left[repair_name] = drift(of, dense)
    assert left["refit_dense"] < left["refit"]


def test_without_a_share_of_the_way_back_it_is_refit(monkeypatch):
    monkeypatch.setattr(calibration, "BACK", 0.0)
    one, other = tiny.fresh("llama"), tiny.fresh("llama")
    prune_layers(one, TOKENS, exact("wanda", 0.6, true_sequential=True, repair="refit"))
    prune_layers(other, TOKENS, exact("wanda", 0.6, repair="refit_dense"))
    for name, value in one.model.state_dict().items():
        torch.testing.assert_close(other.model.state_dict()[name], value, rtol=1e-5, atol=1e-6)
