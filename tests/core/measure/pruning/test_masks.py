"""Kept masks prune as the kernels do, and the model is itself again afterwards."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.kinds.treatments import Treatment
from core.measure import linears as kept
from core.measure.linears import Masks, masked, pruned
from core.models import anatomy
from tests import tiny


def norms(layer: int) -> dict[str, torch.Tensor]:
    stack = anatomy.linears(tiny.loaded("llama").layers[layer])
    generator = torch.Generator().manual_seed(layer)
    return {each.name: torch.rand(each.weight.shape[1], generator=generator) + 0.1 for each in stack}


@pytest.mark.parametrize("pruner", ["wanda", "magnitude"])
def test_a_mask_prunes_as_its_pruner_does_also_when_it_is_kept(pruner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    linear = anatomy.linears(tiny.loaded("llama").layers[1])[3]
    expected = pruned(linear, 1, Treatment(pruner), {"norm": norms(1)}, 0.6)
    found = Masks(norms)
    assert torch.equal(found.weight(linear, 1, pruner, 0.6), expected)
    monkeypatch.setattr(kept, "pruned", lambda *_: pytest.fail("it was kept"))
    assert torch.equal(found.weight(linear, 1, pruner, 0.6), expected)


@pytest.mark.parametrize("each", [False, True], ids=["layers", "linears"])
def test_a_model_is_pruned_for_a_while(each: bool) -> None:
    loaded = tiny.loaded("llama")
    before = tiny.state(loaded.model)
    own = [linear.module.weight.data_ptr() for layer in loaded.layers for linear in anatomy.linears(layer)]
    share = np.array([0.2, 0.4, 0.6, 0.8])
    share = np.repeat(share[:, None], 7, axis=1) if each else share
    with pytest.raises(RuntimeError, match="half way"), masked(loaded, "wanda", share, Masks(norms)) as zeros:
        for index, layer in enumerate(loaded.layers):
            for linear in anatomy.linears(layer):
                found = 1 - int(linear.weight.count_nonzero()) / linear.weight.numel()
                assert found == pytest.approx(0.2 * (index + 1), abs=1 / linear.weight.shape[1])
        assert zeros == pytest.approx(0.5, abs=0.03)
        raise RuntimeError("half way")
    tiny.assert_untouched(loaded.model, before)
    assert own == [linear.module.weight.data_ptr() for layer in loaded.layers for linear in anatomy.linears(layer)]
