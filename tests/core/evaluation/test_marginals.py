"""Steps priced in one walk cost what they cost when the model is really pruned so, alone or in pairs."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from core.evaluation import perplexity
from core.evaluation.marginals import exchanges, marginals
from core.evaluation.pruned import prune
from core.models import anatomy
from core.pruning.walk import restored
from core.specs import PrunedSpec
from core.store.results import Array
from tests import tiny

LAYERS = 4
PLANNED = (0.5, 0.4, 0.6, 0.5)
BELOW, ABOVE = (0.1, 0.2, 0.1, 0.3), (0.2, 0.1, 0.05, 0.2)


def pruned(pruner: str, sparsity: tuple) -> tuple[PrunedSpec, dict]:
    text = tiny.windows().spec if pruner == "wanda" else None
    found = PrunedSpec(pruner=pruner, sparsity=sparsity, calibration=text)
    return found, {text.key: tiny.windows()} if text else {}


def really(pruner: str, change: dict[int, float], family: str, tokens: torch.Tensor) -> Array:
    """Losses of the model pruned with some layers changed, everything else from the start."""
    return losses(pruner, tuple(s + change.get(i, 0.0) for i, s in enumerate(PLANNED)), family, tokens)


def losses(pruner: str, sparsity: tuple, family: str, tokens: torch.Tensor) -> Array:
    """Of the model pruned so."""
    spec, calibration = pruned(pruner, sparsity)
    with restored(tiny.loaded(family)):
        prune(tiny.loaded(family), spec, calibration, lambda _: None, lambda _: None)
        return perplexity.evaluate(tiny.loaded(family), tokens, None).nll


@pytest.mark.parametrize(
    ("pruner", "family", "layers"),
    [("magnitude", "llama", range(LAYERS)), ("magnitude", "gpt2", range(LAYERS)),
     ("wanda", "llama", [LAYERS - 1]), ("wanda", "gpt2", [LAYERS - 1])],  # later masks would see an earlier change
)  # fmt: skip
def test_a_step_costs_what_it_costs_alone(pruner: str, family: str, layers: list[int]) -> None:
    loaded, tokens = tiny.loaded(family), tiny.windows().tokens[:2]
    before = [each.clone() for each in loaded.model.parameters()]
    spec, calibration = pruned(pruner, PLANNED)
    asked = SimpleNamespace(pruned=spec, windows=2, below=BELOW, above=ABOVE)
    found = marginals(loaded, asked, calibration, torch.cat([tokens, tokens]), lambda _: None)
    assert found.less.shape == found.more.shape == (LAYERS, 2)
    assert found.planned == pytest.approx(really(pruner, {}, family, tokens), rel=1e-5)
    for layer in layers:
        assert found.less[layer] == pytest.approx(really(pruner, {layer: -BELOW[layer]}, family, tokens), rel=1e-5)
        assert found.more[layer] == pytest.approx(really(pruner, {layer: ABOVE[layer]}, family, tokens), rel=1e-5)
        assert not np.allclose(found.less[layer], found.planned, rtol=1e-6)
    assert all(torch.equal(old, new) for old, new in zip(before, loaded.model.parameters(), strict=True))


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_a_pair_costs_what_its_two_layers_cost_together(family: str) -> None:
    loaded, tokens = tiny.loaded(family), tiny.windows().tokens[:2]
    before = [each.clone() for each in loaded.model.parameters()]
    spec, calibration = pruned("magnitude", PLANNED)
    pairs = ((0, 1), (1, 0), (3, 0), (2, 3))
    asked = SimpleNamespace(pruned=spec, windows=2, below=BELOW, above=ABOVE, pairs=pairs)
    found = exchanges(loaded, asked, calibration, torch.cat([tokens, tokens]), lambda _: None)
    assert found.planned == pytest.approx(really("magnitude", {}, family, tokens), rel=1e-5)
    for read, (down, up) in zip(found.exchanged, pairs, strict=True):
        change = {down: -BELOW[down], up: ABOVE[up]}
        assert read == pytest.approx(really("magnitude", change, family, tokens), rel=1e-5)
    assert all(torch.equal(old, new) for old, new in zip(before, loaded.model.parameters(), strict=True))


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_single_linears_cost_what_they_cost(family: str) -> None:
    """Alone, and two of them together in one layer or in two; the planned model's linears differ too."""
    loaded, tokens = tiny.loaded(family), tiny.windows().tokens[:2]
    width = len(anatomy.prunable(loaded.layers[0]))
    planned = np.add.outer(PLANNED, np.linspace(-0.1, 0.1, width))
    spec, calibration = pruned("magnitude", tuple(map(tuple, planned.tolist())))
    step = np.full(LAYERS * width, 0.2)
    pairs = ((0, 1), (width + 1, 0), (3 * width, width - 1))
    asked = SimpleNamespace(pruned=spec, windows=2, below=tuple(step), above=tuple(step), pairs=pairs)
    priced = marginals(loaded, asked, calibration, tokens, lambda _: None)
    traded = exchanges(loaded, asked, calibration, tokens, lambda _: None)

    def with_steps(*steps: tuple[int, float]) -> Array:
        rows = planned.ravel().copy()
        for unit, change in steps:
            rows[unit] += change
        return losses("magnitude", tuple(map(tuple, rows.reshape(planned.shape).tolist())), family, tokens)

    assert priced.less.shape == (LAYERS * width, 2)
    assert priced.planned == pytest.approx(with_steps(), rel=1e-5)
    for unit in (0, width - 1, 2 * width + 1, LAYERS * width - 1):
        assert priced.less[unit] == pytest.approx(with_steps((unit, -0.2)), rel=1e-5)
        assert priced.more[unit] == pytest.approx(with_steps((unit, 0.2)), rel=1e-5)
        assert not np.allclose(priced.more[unit], priced.planned, rtol=1e-7)
    for read, (down, up) in zip(traded.exchanged, pairs, strict=True):
        assert read == pytest.approx(with_steps((down, -0.2), (up, 0.2)), rel=1e-5)
