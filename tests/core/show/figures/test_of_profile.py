"""Charts of a profile that look some of it up themselves."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.ask.measurements import Measurement
from core.ask.perturbations import perturbation
from core.plan.gains import gains_of
from core.show.figures import of_profile
from core.show.figures.in_view import InView
from core.store import profiles
from core.store.cache import Store
from core.store.profiles import Profile
from core.store.results import Perturbed
from tests import synthetic

LAYERS = 5


@pytest.fixture
def measured(tmp_path: Path) -> Callable[..., Profile]:
    """A profile of some perturbations, the first by which name a chart is asked for."""

    def make(*names: str) -> Profile:
        asked = tuple(Measurement(perturbation=perturbation(name)) for name in names)
        spec = synthetic.profile_spec(LAYERS, 8, "quick").model_copy(update={"measurements": asked})
        store = Store(tmp_path)
        return profiles.load(store, store.profile(synthetic.save_profile(tmp_path, spec, LAYERS)))

    return make


def test_a_repair_stands_against_the_same_pruning_without_it(measured: Callable, refused: Callable) -> None:
    """At the same sparsity, the one in view where there are several."""
    several = [f"residual:{pruner}:{sparsity}" for sparsity in (0.7, 0.5) for pruner in ("wanda", "wanda+refit")]
    profile = measured(*several, "residual:magnitude:0.5", "skip")
    for name, pair in (("skip", several[:2]), (several[2], several[2:]), (several[3], several[2:])):
        chart = of_profile.repaired(InView(profile, name, 1))
        gains = [gains_of(profile.seeds(each)).value for each in pair]
        for line, expected in (("pruned", gains[0]), ("repaired", gains[1])):
            rows = chart.table[chart.table["line"] == line]
            np.testing.assert_allclose(rows["gain"], expected)
        assert "median layer" in chart.finding
    for lacking in (several[:1], [several[0], several[3]], ["residual:wanda:0.5", "residual:sparsegpt+refit:0.5"]):
        with refused("refit"):
            of_profile.repaired(InView(measured(*lacking), lacking[0], 1))


def test_a_layer_that_does_nothing_leaves_the_median_of_the_others(
    measured: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("residual:wanda:0.7", "residual:wanda+refit:0.7")
    usual = synthetic.perturbed

    def silent(*asked: object) -> Perturbed:
        found = usual(*asked)
        for field in ("drift", "log_drift"):
            getattr(found, field)[2] = np.nan
        return found

    monkeypatch.setattr(synthetic, "perturbed", silent)
    said = of_profile.repaired(InView(measured(*names), names[0], 1)).finding
    assert re.search(r"the repaired damage is [\d.]+× as large in the median layer", said)
