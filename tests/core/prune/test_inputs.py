"""Which linears read the same input is seen from tensors; sums are over all tokens; residuals are pruned by them."""

import pytest
import torch
from torch import nn

from core.measure import clean_statistics, perturbed
from core.methods import MOMENTS, PRUNERS, TREATMENTS
from core.models import anatomy, replay
from core.prune import Sums, prune_layers, watched
from tests import tiny
from tests.builders.recipes import exact

pytestmark = pytest.mark.usefixtures("inference")

TEXT = tiny.windows(4, 16)


def names_of(layer, *given):
    """Which linears read which input in one run."""
    seen = []
    with watched(layer, anatomy.linears(layer), lambda names, _: seen.append(names)):
        layer(*given)
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in layer.modules())
    return seen


class Toy(nn.Module):
    """Three linears: two read one input (one of them through a view), the third is run twice, on inputs of its own."""

    def __init__(self):
        super().__init__()
        self.last, self.one, self.two = (nn.Linear(8, 8, bias=False) for _ in range(3))

    def forward(self, stream):
        both = stream * 2
        found = self.one(both) + self.two(both.view(both.shape))
        del both  # its memory is free for the next tensor of this size
        return found + self.last(stream * 3) + self.last(stream * 4)


def test_the_same_tensor_is_one_input_and_reused_memory_is_not():
    assert names_of(Toy(), torch.randn(2, 512, 8)) == [("one", "two"), ("last",), ("last",)]


def test_a_linear_run_twice_has_the_sums_of_both():
    toy, stream = Toy(), torch.randn(2, 5, 8)
    sums = Sums(["norm", "second_moment"])
    with watched(toy, anatomy.linears(toy), sums.add):
        toy(stream)
        toy(-stream)
    rows = stream.flatten(0, 1)
    moment = rows.T @ rows
    found = sums.of("second_moment")
    near = {"rtol": 1e-5, "atol": 1e-6 * 2 * 25 * float(moment.max())}  # sums of either sign may come near to zero
    torch.testing.assert_close(found["last"], 2 * 25 * moment, **near)
    torch.testing.assert_close(found["one"], 2 * 4 * moment, **near)
    assert found["one"] is found["two"], "computed and kept once"
    torch.testing.assert_close(sums.of("norm")["last"], found["last"].diagonal().sqrt())


def test_the_first_token_of_every_window_counts_as_many_in_what_feedback_looks_at():
    stream, sums = torch.randn(3, 64, 8), Sums(["second_moment", "sink_moment"])
    for window in stream.split([2, 1]):
        sums.add(("one",), window)
    first, times = stream[:, 0], 64 * MOMENTS["sink_moment"]
    more = sums.of("sink_moment")["one"] - sums.of("second_moment")["one"]
    assert times > 1 and PRUNERS["gptq"].statistic == "sink_moment"
    torch.testing.assert_close(more, (times - 1) * first.T @ first, rtol=1e-4, atol=1e-4)


# --- residuals by SparseGPT ----------------------------------------------------------------------------------------


def moments(family):
    return clean_statistics(tiny.loaded(family), TEXT.tokens, ("norm", "second_moment"), False, lambda _: None)[1]


@pytest.mark.parametrize("family", tiny.PRUNABLE)
def test_second_moments_are_over_all_tokens_of_all_sequences(family):
    found = moments(family)
    for (layer, name), rows in tiny.inputs(tiny.loaded(family), TEXT.tokens).items():
        assert len(rows) == TEXT.tokens.numel()
        expected = rows.T @ rows
        scale = float(expected.diagonal().max())
        torch.testing.assert_close(found.second_moment[layer][name].double(), expected, rtol=1e-4, atol=1e-5 * scale)
        norm = found.norm[layer][name].double()
        torch.testing.assert_close(norm, rows.norm(dim=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["wanda+refit", "alps", "magnitude+refit"])
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_a_residual_is_what_the_walk_makes_of_the_first_layer(family, name):
    """Whose inputs are the dense model's in both."""
    of, found = tiny.loaded(family), moments(family)
    [call, *_] = replay.record(of.model, of.layers, TEXT.tokens)
    stream = perturbed(tiny.measurement(f"residual:{name}:0.7"), 0, call, range(4), found)
    there = tiny.fresh(family)
    how = TREATMENTS[name]
    prune_layers(there, TEXT.tokens, exact(how.pruner, 0.7, repair=how.repair))
    [other, *_] = replay.record(there.model, there.layers, TEXT.tokens)
    scale = float((stream - call.exit).norm(dim=-1).mean())
    torch.testing.assert_close(stream, other.exit, rtol=0, atol=0.02 * scale)
