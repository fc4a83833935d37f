"""Kernels stay on the device they are given, told without one: fake tensors know where they would be.

Torch refuses an operation that would mix devices here as it would there; what a device computes it cannot tell.
SparseGPT's is not among them: a torch without CUDA cannot index a fake tensor of a CUDA device.
"""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from core.methods.selection import pattern
from core.methods.treatments import PRUNERS
from core.prune.inputs import Sums

OUT, IN = 64, 256
ACCELERATORS = ("cuda", "mps")


@pytest.mark.parametrize("device", ACCELERATORS)
@pytest.mark.parametrize("kept", [None, pattern("2:4")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["magnitude", "wanda"])
def test_a_weight_is_pruned_where_it_lies(name, dtype, kept, device):
    with FakeTensorMode():
        weight = torch.empty(OUT, IN, device=device, dtype=dtype)
        norm = torch.empty(IN, device=device) if PRUNERS[name].statistic == "norm" else None
        found = PRUNERS[name].prune(weight, norm, 0.5, kept)
        assert (found.device.type, found.dtype, found.shape) == (device, dtype, weight.shape)


@pytest.mark.parametrize("home", [None, torch.device("cpu")])
@pytest.mark.parametrize("device", ACCELERATORS)
def test_sums_are_in_float32_and_kept_where_they_should_be(device, home):
    with FakeTensorMode():
        sums = Sums(["norm", "second_moment"], home)
        for _ in range(2):
            sums.add(("q", "k"), torch.empty(2, 8, IN, device=device, dtype=torch.bfloat16))
        moment, norm = sums.of("second_moment")["k"], sums.of("norm")["q"]
        assert (moment.device.type, moment.dtype) == (home.type if home else device, torch.float32)
        assert (norm.device.type, norm.dtype) == ("cpu", torch.float32)
