"""Kernels and training stay on the device they are given, told without one: fake tensors know where they would be.

Torch refuses an operation that would mix devices here as it would there; what a device computes it cannot tell.
SparseGPT's kernel is not among them: a torch without CUDA cannot index a fake tensor of a CUDA device. Nor can it run
backwards there: for training a second CPU stands in. What a value decides is decided here: half of the weights are
kept, and every size is 1.
"""

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import AutoModelForCausalLM

from core.methods import LEARNING_RATE, PRUNERS, MaskedWeights, pattern, take_step
from core.models import Loaded
from core.prune import Distillation, trainable_weights
from tests import families, tiny

OUT, IN = 64, 256
CPU, THERE = torch.device("cpu"), torch.device("cpu", 1)
accelerator = pytest.mark.parametrize("device", ["cuda", "mps"])


@accelerator
@pytest.mark.parametrize("kept", [None, pattern("2:4")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["magnitude", "wanda"])
def test_a_weight_is_pruned_where_it_lies(name, dtype, kept, device):
    with FakeTensorMode():
        weight = torch.empty(OUT, IN, device=device, dtype=dtype)
        norm = torch.empty(IN, device=device) if PRUNERS[name].statistic == "norm" else None
        pruned = PRUNERS[name].prune(weight, norm, 0.5, kept)
        assert (pruned.device.type, pruned.dtype, pruned.shape) == (device, dtype, weight.shape)


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setattr(Tensor, "nonzero", lambda each: each.new_zeros(len(each) // 2, 1, dtype=torch.long))
    monkeypatch.setattr(Tensor, "__float__", lambda _: 1.0)
    with FakeTensorMode(allow_non_fake_inputs=False):
        yield


@pytest.mark.parametrize(
    ("family", "dtype", "products"), [("llama", torch.float32, "bfloat16"), ("gpt2", torch.bfloat16, "float32")]
)
def test_a_step_of_distill_stays_where_the_model_lies(family, dtype, products, fake):
    config = families.config(family, tiny.LAYERS, tiny.WIDTH)
    with THERE:
        model = AutoModelForCausalLM.from_config(config, dtype=dtype).eval().requires_grad_(False)
    loaded = Loaded(tokenizer=None, source=None, tokenizer_hash="", config=config, model=model, spec=None)
    tokens, reference = torch.zeros(16, 16, dtype=torch.long), torch.zeros(16, 16, tiny.WIDTH, dtype=dtype)
    training = Distillation(loaded, MaskedWeights(trainable_weights(loaded.layers, True)), tokens, reference, products)
    for step in range(2):
        training.gradient(step)
        take_step(training.masked, training.optimizer, LEARNING_RATE)
    masked = training.masked
    state = {**training.optimizer.state[masked.value], "value": masked.value, "best": training.best}
    assert {each.device for each in (*state.values(), masked.mask, *masked.weights, *masked.places)} == {THERE}
    assert masked.value.dtype == masked.value.grad.dtype == torch.float32
    assert {each.dtype for each in masked.weights} == {dtype} and {"exp_avg", "exp_avg_sq", "step"} <= state.keys()
