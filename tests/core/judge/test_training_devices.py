"""Training leaves no tensor behind: its steps run on fake tensors, which know where they would be.

A second CPU stands in for a GPU, for which a torch without CUDA cannot run backwards. Torch refuses an operation that
would mix the two. What a value decides is decided here: half of the weights are kept, and every size is 1.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import AutoModelForCausalLM

from core.methods.blockwise import blockwise
from core.methods.distillation import LEARNING_RATE
from core.methods.masked_weights import MaskedWeights, take_step
from core.models.loading import Loaded
from core.prune.distillation import Distillation, trainable_weights
from tests import families, tiny

CPU, THERE = torch.device("cpu"), torch.device("cpu", 1)


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setattr(Tensor, "nonzero", lambda each: each.new_zeros(len(each) // 2, 1, dtype=torch.long))
    monkeypatch.setattr(Tensor, "__float__", lambda _: 1.0)
    with FakeTensorMode(allow_non_fake_inputs=False):
        yield


def model_there(family, dtype):
    config = families.config(family, tiny.LAYERS, tiny.WIDTH)
    with THERE:
        model = AutoModelForCausalLM.from_config(config, dtype=dtype).eval().requires_grad_(False)
    return Loaded(tokenizer=None, source=None, tokenizer_hash="", config=config, model=model, spec=None)


@pytest.mark.parametrize(
    ("family", "dtype", "products"),
    [
        ("llama", torch.float32, "float32"),
        ("llama", torch.float32, "bfloat16"),
        ("gpt2", torch.float32, "float32"),
        ("gpt2", torch.bfloat16, "bfloat16"),
    ],
)
def test_a_step_of_distill_stays_where_the_model_lies(family, dtype, products, fake):
    loaded = model_there(family, dtype)
    tokens, reference = torch.zeros(16, 16, dtype=torch.long), torch.zeros(16, 16, tiny.WIDTH, dtype=dtype)
    training = Distillation(loaded, MaskedWeights(trainable_weights(loaded.layers, True)), tokens, reference, products)
    for step in range(2):
        training.gradient(step)
        take_step(training.masked, training.optimizer, LEARNING_RATE)
    kept = training.masked
    course = {**training.optimizer.state[kept.value], "value": kept.value, "best": training.best, "mask": kept.mask}
    assert {each.device for each in (*course.values(), *kept.weights, *kept.places)} == {THERE}
    assert kept.value.dtype == kept.value.grad.dtype == torch.float32
    assert {each.dtype for each in kept.weights} == {dtype} and {"exp_avg", "exp_avg_sq", "step"} <= course.keys()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_window_is_trained_where_it_lies(dtype, fake):
    with THERE:
        linear = torch.nn.Linear(16, 16, dtype=dtype).requires_grad_(False)
        batches = torch.zeros(4, 8, 16, dtype=dtype)
    kept = MaskedWeights([linear.weight])
    blockwise(kept, lambda each: linear(batches[each]).tanh().square().sum(), range(4))
    assert {kept.value.device, kept.value.grad.device, linear.weight.device} == {THERE}
