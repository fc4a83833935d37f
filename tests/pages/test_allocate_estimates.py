"""What an allocation costs: its estimate, every method beside it, and what was measured of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.ask.allocations import AllocationRequest
from core.ask.measurements import Measurement, measurements
from core.ask.perturbations import perturbation
from core.ask.settings import Setting
from core.kinds import METHODS
from core.kinds.alphapruning import AlphaPruning
from core.kinds.dlp import Dlp
from core.kinds.owl import Owl
from core.kinds.response import Response
from core.store.cache import Store
from core.store.results import Perturbed
from pages.ui import studies, subject
from tests import synthetic
from tests.pages.allocate_page import chart, estimates_shown, lanes, opened
from tests.pages.opening import live, numbers

Cache = dict[str, str]


@pytest.fixture
def store(empty_cache: Path) -> Store:
    """An empty cache that the environment points at."""
    return Store(empty_cache)


@pytest.fixture
def unknown_gain(store: Store, monkeypatch: pytest.MonkeyPatch) -> str:
    """A profile whose driver has no gain in layer 3."""
    usual = synthetic.perturbed

    def broken(layers: int, sequences: int, measurement: Measurement) -> Perturbed:
        found = usual(layers, sequences, measurement)
        if measurement.perturbation.name != "gaussian:0.3":
            return found
        drift = found.log_drift.copy()
        drift[3, -1] = np.nan
        return replace(found, log_drift=drift)

    monkeypatch.setattr(synthetic, "perturbed", broken)
    return synthetic.save_profile(store.root, synthetic.profile_spec(12, 8, prunable=True), 12)


def test_without_a_gain_only_the_correction_is_off(unknown_gain: str) -> None:
    app = opened(profile=unknown_gain)
    assert not app.exception and not app.error
    assert "layer 3" in app.warning[0].value and "gaussian:0.3" in app.warning[0].value
    assert len(live(app)["bars"]["values"]) == 1 and app.code
    app = opened(profile=unknown_gain, strength="0.04")
    assert "Layer 3" in app.error[0].value and not app.exception


@pytest.fixture
def by_sparsegpt(store: Store) -> str:
    """A profile whose layers were pruned alone by SparseGPT, and by Wanda at one sparsity only."""
    names = ("gaussian:0.3", "residual:wanda:0.7", *(f"residual:sparsegpt:{each}" for each in (0.5, 0.7, 0.9)))
    measured = measurements([perturbation(name) for name in names])
    spec = synthetic.profile_spec(12, 8, prunable=True).model_copy(update={"measurements": measured})
    return synthetic.save_profile(store.root, spec, 12)


@pytest.mark.parametrize("view", [{}, {"base": "response", "pruner": "sparsegpt", "hand": "3:0.6"}])
def test_estimates_come_from_the_curves_that_there_are(view: dict[str, str], by_sparsegpt: str) -> None:
    app = opened(profile=by_sparsegpt, strength="0", **view)
    assert not app.exception and not app.error
    assert "**" in live(app)["notes"][0]["table"][0]


def test_the_estimate_stands_beside_its_base_its_control_and_uniform(cache: Cache) -> None:
    shown = estimates_shown(opened(profile=cache["deep"], strength="0.04"))
    assert list(shown) == ["now", "OWL without correction", "reversed", "uniform"]
    beyond = opened(profile=cache["deep"], allocation="dlp high=0.94:0.88")
    assert "**unknown beyond the largest sparsity measured**" in live(beyond)["notes"][0]["table"][0]


@pytest.fixture
def studied(tmp_path: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A profile whose model was evaluated at two targets, at one of them with too few allocations; returns its key."""
    root = tmp_path / "studied"
    spec = synthetic.profile_spec(6, preset="standard", prunable=True).model_copy(update={"removal": True})
    key = synthetic.save_profile(root, spec, 6, "studied")
    bases = (Owl(), Dlp(), AlphaPruning(), Response())
    asked = [Setting(allocation=AllocationRequest(base=base, target=0.7)) for base in bases]
    asked += [Setting(allocation=AllocationRequest(base=Owl(), target=0.5))]
    synthetic.save_study(root, synthetic.study_spec(spec, asked, 6), 6, key)
    monkeypatch.setenv("ABSORPTION_CACHE", str(root))
    return key


def test_every_method_stands_beside_the_allocation_in_view_with_what_was_measured(studied: str) -> None:
    app = opened(profile=studied)
    assert not app.exception
    names = list(lanes(app))
    assert names[0] == "this allocation: OWL, corrected 0.04" and len(names) == 1 + len(METHODS)
    dots = chart(app, "What does each method cost?")["data"]
    assert dots[0]["y"] == names
    profile = subject.load(studied)
    [group] = studies.groups(profile).values()
    owl = next(each for each in group.settings if each.name == "OWL" and each.setting.allocation.target == 0.7)
    drawn = dict(zip(dots[0]["y"], numbers(dots[0]["x"]), strict=True))["OWL"]
    assert drawn == pytest.approx(owl.perplexity)
    assert sum("24 × 512 tokens" in each.value for each in app.caption) == 1, "one protocol line a page"


def test_where_nothing_was_measured_the_methods_stand_without_numbers(studied: str) -> None:
    app = opened(profile=studied, target="0.62")
    assert "70 %" in app.info[0].value and len(lanes(app)) == 1 + len(METHODS)
    assert not [each for each in app.get("plotly_chart") if each.proto.alt.startswith("What does each method cost?")]
