"""Recorded layer calls, replayed: the same numbers as the model's own forward, and no trace left."""

import itertools

import pytest
import torch
from torch.utils._pytree import tree_leaves

from core.measure import Moments, largest_replay_error, prepare
from core.models import replay
from tests import tiny

pytestmark = pytest.mark.usefixtures("inference")


def recorded(family, sequences=3, length=12):
    of = tiny.loaded(family)
    ids = tiny.windows(sequences, length).tokens
    return of.model, ids, replay.record(of.model, of.layers, ids)


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_a_replayed_layer_is_the_models_own_bit_for_bit(family):
    """On the clean stream, on another one, and with other weights for one call; the tail gives the model's logits."""
    model, ids, calls = recorded(family)
    before = tiny.state(model)
    assert len(calls) == tiny.LAYERS and all(torch.equal(call(call.entry), call.exit) for call in calls)
    for one, following in itertools.pairwise(calls):
        assert torch.equal(one.exit, following.entry)  # a layer's output is the next one's input
    others = replay.record(model, [call.layer for call in calls], ids, calls[0].entry.flip(1))
    assert torch.equal(others[0].entry, calls[0].entry.flip(1))
    assert not torch.equal(others[-1].exit, calls[-1].exit)
    for call, other in zip(calls, others, strict=True):
        assert replay.replay_error(call, other) == replay.replay_error(other, call) == 0
    halved = {name: weight / 2 for name, weight in calls[1].layer.named_parameters()}
    assert not torch.equal(calls[1](calls[1].entry, halved), calls[1].exit)
    logits, some = model(input_ids=ids, use_cache=False).logits, torch.tensor([1, 5, 9])
    assert torch.equal(replay.tail(model, calls, calls[-1].exit), logits)
    torch.testing.assert_close(
        replay.tail(model, calls, calls[-1].exit[:, some]), logits[:, some], rtol=1e-5, atol=1e-5
    )
    tiny.assert_untouched(model, before)
    # asking for hidden states leaves the library's own hooks on a model
    states = tiny.built(family)(input_ids=ids, use_cache=False, output_hidden_states=True).hidden_states
    assert all(torch.equal(call.entry, state) for call, state in zip(calls, states, strict=False))


def test_shared_keys_and_values_serve_one_stream_at_a_time():
    """The wavefront runs many streams through a layer before the next: it must not be used here."""
    of, text = tiny.loaded(tiny.ODD), tiny.windows(3, 12)
    group = prepare(of, text.tokens, [0, 1, 2], Moments(), 4)
    assert [replay.replay_error(call) for call in group.calls] == [0] * tiny.LAYERS
    assert largest_replay_error(group, lambda _: None) > 0.01


@pytest.mark.parametrize("where", ["recording", "replaying", "the tail"])
def test_nothing_is_left_after_an_exception(where, monkeypatch):
    model, ids, calls = recorded("gpt2")
    last = calls[-1].exit

    def broken(*_, **__):
        raise RuntimeError("in the middle")

    with tiny.untouched(model), monkeypatch.context() as patch, pytest.raises(RuntimeError, match="in the middle"):
        match where:
            case "recording":
                patch.setattr(type(calls[2].layer), "forward", broken)
                replay.record(model, [call.layer for call in calls], ids)
            case "replaying":
                patch.setattr(torch.nn.Module, "__call__", broken)
                calls[0](calls[0].entry, dict(calls[0].layer.named_parameters()))
            case "the tail":
                patch.setattr(type(model.get_output_embeddings()), "forward", broken)
                replay.tail(model, calls, last)


def test_widening_touches_numbers_alone():
    half = tiny.built("llama").to(torch.bfloat16)
    layers = half.model.layers
    calls = replay.record(half, layers, tiny.windows(1, 8).tokens)
    wide = calls[0].in_float32()
    found = [
        value
        for value in tree_leaves((wide.args, wide.kwargs))
        if isinstance(value, torch.Tensor) and value.is_floating_point()
    ]
    assert found and all(value.dtype == torch.float32 for value in found)
    assert calls[0].exit.dtype == torch.bfloat16
