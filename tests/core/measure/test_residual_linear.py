"""One linear of a layer pruned alone: its edges; its definition is tested with the others, beside the engines."""

from __future__ import annotations

import numpy as np
import pytest

from core.models import anatomy
from core.models.windows import Windows
from core.store.cache import Store
from core.store.results import Perturbed
from tests import tiny

SPARSITY = 0.6


def measured(store: Store, family: str, text: Windows, *names: str) -> dict[str, Perturbed]:
    """Sweep the family's tiny model; name -> what was measured."""
    of = tiny.loaded(family)
    profile = tiny.profile(of, text, *names)
    tiny.sweep(of, text, profile, store).run()
    return {each.name: store.load(profile.unit(each)) for each in profile.measurements}


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_no_two_linears_do_the_same_damage(family: str, empty: Store) -> None:
    names = [each.name for each in anatomy.linears(tiny.loaded(family).layers[0])]
    asked = [f"residual_linear:wanda:{SPARSITY}:{name}" for name in names]
    found = measured(empty, family, tiny.windows(3, 12), *asked)
    rows = np.stack([found[each].log_drift[0, 0] for each in asked])  # right where it is done, (linears, sequences)
    assert np.isfinite(rows).all()
    gaps = np.abs(rows[:, None] - rows[None]).max(-1) + np.eye(len(rows))
    assert gaps.min() > 1e-6  # two linears did the same damage


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


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_an_unknown_linear_gets_a_sentence_that_lists_the_known(family: str, empty: Store, refused) -> None:
    with refused("mlp.nothing", *(each.name for each in anatomy.linears(tiny.loaded(family).layers[0]))):
        measured(empty, family, tiny.windows(3, 12), "residual_linear:wanda:0.5:mlp.nothing")
