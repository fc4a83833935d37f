"""Windows of a layer trained in the walk: masks stay, and what is held back is never worse for it."""

import math

import pytest
import torch
from torch import nn

from core.base import UserError
from core.methods import MaskedWeights, blockwise, validation_windows
from core.methods import blockwise as blockwise_module
from core.models import anatomy, losses
from core.prune import layer_windows, prune_layers
from tests import tiny
from tests.builders.pruned_models import assert_in_pattern, assert_only_linears_changed
from tests.builders.recipes import exact

TOKENS = tiny.windows(16, 16).tokens
FAMILIES = ["llama", "gemma2", "gpt2", tiny.ODD]


def pruned(of, repair=None, pattern=None, by="wanda"):
    prune_layers(of, TOKENS, exact(by, 0.5 if pattern else 0.6, pattern=pattern, repair=repair))
    return of


def far(of, family):
    """KL from the dense model, mean over all windows."""
    return float(losses.evaluate(of, TOKENS, losses.reference(tiny.loaded(family), TOKENS)).kl.mean())


# --- both, on every family -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_a_walk_by_windows_ends_nearer_no_zero_comes_back_and_nothing_but_linears_changes(family):
    before = tiny.state(tiny.built(family))  # and a pruner whose masks no repair of an earlier layer changes
    plain, of = pruned(tiny.fresh(family), by="magnitude"), pruned(tiny.fresh(family), "blockwise", by="magnitude")
    repaired = tiny.weights(of)
    assert all(torch.equal(repaired[name] == 0, each == 0) for name, each in tiny.weights(plain).items())
    assert any(not torch.equal(repaired[name], each) for name, each in tiny.weights(plain).items())
    assert_only_linears_changed(of, before)
    assert far(of, family) < far(plain, family)


def test_half_precision_and_a_pattern_are_kept():
    of = pruned(tiny.fresh("llama", torch.float16), "blockwise", "2:4")
    assert_in_pattern(of, torch.float16)
    assert of.model(input_ids=TOKENS).logits.isfinite().all()


def test_a_layer_whose_parts_cannot_be_told_is_one_window(monkeypatch):
    def unknown(*_):
        raise UserError("no parts")

    monkeypatch.setattr(layer_windows, "find_part", unknown)
    layer = tiny.loaded("llama").layers[0]
    [window] = layer_windows.windows(layer, anatomy.prunable_linears(layer))
    assert len(window.linears) == 7 and window.output is layer
    of, plain = pruned(tiny.fresh("llama"), "blockwise"), pruned(tiny.fresh("llama"))
    assert far(of, "llama") < far(plain, "llama")


@pytest.mark.parametrize("repair", ["blockwise", "refit+blockwise", "refit_dense+blockwise"])
def test_the_pruner_and_the_repairs_before_it_read_nothing_that_is_held_back(repair, monkeypatch):
    """Untrained, the weights are the same whatever stands in the batches that are held back."""
    monkeypatch.setattr(blockwise_module, "EPOCHS", 0)
    batch = layer_windows.batch_size(TOKENS) // TOKENS.shape[1]
    held = [each for each in range(len(TOKENS)) if each // batch in validation_windows(-(-len(TOKENS) // batch))]
    found = []
    for tokens in (TOKENS, TOKENS.clone()):
        if found:
            tokens[held, 1:] = tokens[held, 1:].flip(0, 1)
        of = tiny.fresh("llama")
        prune_layers(of, tokens, exact("wanda", 0.6, repair=repair))
        found.append(tiny.weights(of))
    first, second = found
    for name, each in first.items():
        torch.testing.assert_close(second[name], each, msg=name)


def test_one_window_alone_is_refused():
    with pytest.raises(UserError, match="calibrate on 2 or more"):
        prune_layers(tiny.fresh("llama"), TOKENS[:1], exact("wanda", 0.6, repair="blockwise"))


# --- a window ------------------------------------------------------------------------------------------------------


def regression(noise):
    """A nonlinear window, sparse, that is to give what another gives, on batches of its own."""
    drawn = torch.Generator().manual_seed(0)
    random = lambda *shape: torch.randn(shape, generator=drawn)  # noqa: E731
    truth, weight = random(8, 6), nn.Parameter(random(8, 6), requires_grad=False)
    weight.mul_(random(8, 6) > 0)
    data = [(x, (x @ truth.T).tanh() + noise * random(32, 8)) for x in (random(32, 6) for _ in range(9))]
    return MaskedWeights([weight]), lambda each: ((data[each][0] @ weight.T).tanh() - data[each][1]).square().mean()


def held_error(error):
    return math.fsum(float(error(each)) for each in validation_windows(9))


@pytest.mark.parametrize("spoilt", [math.nan, -1.0, 1e6])
def test_a_window_is_never_worse_than_its_start_on_what_is_held_back(spoilt):
    """Whatever the others say: here they lead away, or to no number at all."""
    kept, error = regression(1)
    before = kept.weights[0].clone()
    held = validation_windows(9)
    start = held_error(error)
    blockwise.blockwise(kept, lambda batch: error(batch) * (1 if batch in held else spoilt), range(9))
    assert held_error(error) <= start
    if not spoilt > 0:
        assert torch.equal(kept.weights[0], before)
