"""One linear of a layer pruned alone: against an independent recomputation, and at the edges."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.models import anatomy
from core.models.loading import Loaded
from core.store.cache import Store
from core.store.results import Perturbed
from core.texts.windows import Windows
from tests import tiny

SPARSITY = 0.6
LINEARS = {"llama": ("self_attn.k_proj", "mlp.down_proj"), "gpt2": ("attn.c_attn", "mlp.c_proj")}


def measured(store: Store, family: str, text: Windows, *names: str) -> dict[str, Perturbed]:
    """Sweep the family's tiny model; name -> what was measured."""
    of = tiny.loaded(family)
    profile = tiny.profile(of, text, *names)
    tiny.sweep(of, text, profile, store).run()
    return {each.name: store.load(profile.unit(each)) for each in profile.measurements}


def wanda_by_hand(weight: torch.Tensor, inputs: torch.Tensor, sparsity: float) -> torch.Tensor:
    """The least `|W| ||X||` of every row set to zero; weight (out, in)."""
    score = weight.abs() * inputs.norm(dim=0)
    drop = score.argsort(dim=1)[:, : int(sparsity * weight.shape[1])]
    return weight.scatter(1, drop, 0.0)


@torch.inference_mode()
def final_squared(of: Loaded, text: Windows, layer: int, name: str) -> np.ndarray:
    """Squared drift at the last layer with one linear replaced, mean over tokens after the first: (sequences,)."""
    stream = []
    last = of.layers[-1].register_forward_hook(
        lambda _, __, out: stream.append((out[0] if isinstance(out, tuple) else out).clone())
    )
    linear = next(each for each in anatomy.linears(of.layers[layer]) if each.name == name)
    kept = linear.module.weight.clone()
    try:
        inputs = tiny.inputs(of, text.tokens)[layer, name].float()
        stream.clear()
        of.model(text.tokens)
        linear.module.weight.copy_(linear.stored(wanda_by_hand(linear.weight, inputs, SPARSITY)))
        of.model(text.tokens)
    finally:
        linear.module.weight.copy_(kept)
        last.remove()
    clean, moved = stream
    drift = (moved - clean)[:, 1:].norm(dim=-1) / clean[:, 1:].norm(dim=-1)
    return drift.square().mean(1).numpy()


@pytest.mark.parametrize("family, name", [(family, name) for family, names in LINEARS.items() for name in names])
def test_only_the_linear_that_is_named_is_pruned(family: str, name: str, empty: Store) -> None:
    of, text = tiny.loaded(family), tiny.windows(3, 12)
    before = tiny.state(of.model)
    found = measured(empty, family, text, f"residual_linear:wanda:{SPARSITY}:{name}")
    [alone] = found.values()
    for layer in range(tiny.LAYERS):
        expected = final_squared(of, text, layer, name)
        assert expected.min() > 0
        np.testing.assert_allclose(alone.final_squared[layer], expected, rtol=2e-4, atol=1e-9)
    tiny.assert_untouched(of.model, before)


@pytest.mark.parametrize("family", LINEARS)
def test_no_two_linears_do_the_same_damage(family: str, empty: Store) -> None:
    names = [each.name for each in anatomy.linears(tiny.loaded(family).layers[0])]
    asked = [f"residual_linear:wanda:{SPARSITY}:{name}" for name in names]
    found = measured(empty, family, tiny.windows(3, 12), *asked)
    rows = np.stack([found[each].log_drift[0, 0] for each in asked])  # right where it is done, (linears, sequences)
    assert np.isfinite(rows).all()
    gaps = np.abs(rows[:, None] - rows[None]).max(-1) + np.eye(len(rows))
    assert gaps.min() > 1e-6, "two linears did the same damage"


def test_nothing_pruned_is_nothing_done(empty: Store) -> None:
    [found] = measured(empty, "llama", tiny.windows(3, 12), "residual_linear:wanda:0:mlp.up_proj").values()
    assert not found.final_squared.any() and not found.kl.any()


def test_pruning_the_only_linear_is_pruning_the_layer(empty: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all others out of the pruner's sight the two perturbations are one."""
    only = "mlp.down_proj"
    every = anatomy.linears
    monkeypatch.setattr(
        "core.measure.perturb.anatomy.prunable", lambda layer: [each for each in every(layer) if each.name == only]
    )
    whole, alone = (f"residual:wanda:{SPARSITY}", f"residual_linear:wanda:{SPARSITY}:{only}")
    found = measured(empty, "llama", tiny.windows(3, 12), whole, alone)
    for field in ("final_squared", "kl", "log_drift", "cosine"):
        np.testing.assert_array_equal(getattr(found[whole], field), getattr(found[alone], field))
    assert found[alone].final_squared.min() > 0


@pytest.mark.parametrize("family", LINEARS)
def test_an_unknown_linear_gets_a_sentence_that_lists_the_known(family: str, empty: Store, refused) -> None:
    with refused("mlp.nothing", *(each.name for each in anatomy.linears(tiny.loaded(family).layers[0]))):
        measured(empty, family, tiny.windows(3, 12), "residual_linear:wanda:0.5:mlp.nothing")
