"""What an allocation costs: estimates, their judge, every method beside it, and what was measured of them."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.ask.allocations import AllocationRequest
from core.ask.measurements import Measurement, measurements
from core.ask.perturbations import perturbation
from core.ask.settings import Setting
from core.cli import main
from core.kinds import METHODS
from core.kinds.alphapruning import AlphaPruning
from core.kinds.dlp import Dlp
from core.kinds.owl import Owl
from core.kinds.response import Response
from core.show.figures import LIGHT, Estimate, agreement, estimates
from core.store.cache import Store
from core.store.results import Perturbed
from pages.ui import studies, subject
from tests import synthetic
from tests.pages.allocate_page import chart, command_words, estimates_shown, estimating, lanes, opened
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
def test_estimates_come_from_the_curves_that_there_are(
    view: dict[str, str], by_sparsegpt: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = opened(profile=by_sparsegpt, strength="0", **view)
    assert not app.exception and not app.error
    told = live(app)["notes"][0]["table"][0]
    capsys.readouterr()
    assert main([*command_words(app, tmp_path), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["judge"]["pruner"] == "sparsegpt"
    assert told.split("**")[1] == f"{answer['estimate']['sparsity']:.3g}" and answer["no_estimate"] == {}


@pytest.mark.parametrize(("per", "largest"), [("layer", "0.5"), ("half", "0.6")])
def test_beyond_the_largest_sparsity_of_layers_or_linears_the_page_says_what_it_is(
    per: str, largest: str, store: Store
) -> None:
    linears = [f"residual_linear:wanda:{level}:{each}" for level in (0.3, 0.6) for each in synthetic.LINEARS]
    names = ("gaussian:0.3", "residual:wanda:0.3", "residual:wanda:0.5", *linears)
    measured = measurements([perturbation(name) for name in names])
    spec = synthetic.profile_spec(12, 8, prunable=True).model_copy(update={"measurements": measured, "removal": True})
    key = synthetic.save_profile(store.root, spec, 12)
    app = estimating(profile=key, strength="0", allocation=f"lsa per={per} width=0.05:0.8")
    assert not app.exception and any(f"go beyond {largest}" in each.value for each in app.info)


def test_the_controls_stand_beside_the_correction(cache: Cache) -> None:
    app = estimating(profile=cache["deep"], strength="0.04")
    controls = ["reversed", "median of 5 shuffles", "ramp control"]
    assert list(estimates_shown(app)) == ["this allocation", "without correction", *controls, "uniform"]


@pytest.mark.parametrize(
    "line, said",
    [
        ("--allocation 'owl alpha=0.2:0.7'", "owl has no parameter 'alpha': it takes m, lam"),
        ("--allocation 'uniform driver=nonsense:0.7'", "there is no perturbation 'nonsense'"),
        ("--allocation 'owl unclipped=yes strength=0.04:0.7'", "give a strength or unclipped, not both"),
        ("--judge-pruner wonder", "there is no pruner 'wonder'"),
    ],
)
def test_what_an_allocator_cannot_do_is_one_sentence(
    line: str, said: str, cache: Cache, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["allocate", "--profile", cache["deep"], *shlex.split(line)]) == 2
    told = capsys.readouterr().err
    assert said in told and len(told.strip().splitlines()) == 1


def test_why_there_is_no_estimate_is_said(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["allocate", "--profile", cache["deep"], "--allocation", "dlp high=0.94:0.88"]
    assert main(line) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "is 0.9: measure a larger one" in out and "uniform " in out
    assert main([*line, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["estimate"]["sparsity"] is None and "largest measured" in told["no_estimate"]["sparsity"]


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
    app = estimating(profile=studied)
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
    assert sum("24 × 512 tokens" in each.value for each in app.caption) == 2, "once for each of the two charts"
    trust = chart(app, "Estimate against measured")["data"][0]
    assert len(trust["customdata"]) == 5, "four methods and uniform at 70%"


def test_where_nothing_was_measured_the_methods_stand_without_numbers(studied: str) -> None:
    app = opened(profile=studied, target="0.62")
    assert "70 %" in app.info[0].value and len(lanes(app)) == 1 + len(METHODS)
    assert not [each for each in app.get("plotly_chart") if each.proto.alt.startswith("What does each method cost?")]


def test_the_allocation_in_view_stands_at_its_estimate_where_it_was_not(studied: str) -> None:
    def trust(**view: str) -> dict:
        return chart(estimating(profile=studied, **view), "Estimate against measured")

    other = trust(strength="0.03")
    assert LIGHT.accent not in other["data"][0]["marker"]["color"]
    assert [each["line"]["color"] for each in other["layout"]["shapes"]] == [LIGHT.accent]
    assert not trust(target="0.6")["layout"].get("shapes")  # no neighbours


def test_findings_are_computed() -> None:
    lines = {"mine": np.array([0.6, 0.7, 0.8]), "alike": np.array([0.5, 0.7, 0.9]), "flat": np.full(3, 0.7)}
    assert list(agreement(lines)) == ["mine", "alike"]
    rows = [Estimate("mine", 2.0, 2.0, 2.0), Estimate("other", 1.0, 0.5, 1.5), Estimate("far", np.nan, np.nan, np.nan)]
    assert "100.0 % more than other" in estimates(rows, "mine", "nats").finding
    assert "beyond the largest sparsity measured" in estimates(rows, "far", "nats").finding
