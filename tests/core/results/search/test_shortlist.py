"""Which candidates a search predicts, and which of them it evaluates next."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.ask import grammar
from core.ask.settings import Setting
from core.kinds.treatments import Treatment
from core.results import evaluations
from core.results.anchors import fitting
from core.results.evaluations import Evaluations
from core.results.shortlist import candidates
from core.store import profiles
from core.store.cache import Store
from core.store.profiles import Profile
from tests import synthetic
from tests.core.allocating import of_linears
from tests.core.allocating import profile as random_profile

LAYERS, WANDA = 6, Treatment("wanda")


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    spec = synthetic.profile_spec(LAYERS, prunable=True)
    store = Store(tmp_path)
    return profiles.load(store, store.profile(synthetic.save_profile(tmp_path, spec, LAYERS)))


def evaluated(profile: Profile, losses: dict[str, float]) -> Evaluations:
    """A study of allocations whose loss is known beforehand, nats over the dense model's."""
    settings = {Setting(allocation=grammar.read_allocation(line)): loss for line, loss in losses.items()}
    store = Store(profile.entry.path.parent.parent)
    spec = synthetic.study_spec(profile.spec, list(settings), LAYERS)
    synthetic.save_study(store.root, spec, LAYERS, profile.entry.key, settings.__getitem__)
    return evaluations.read(store, spec)


@pytest.mark.parametrize("target", [0.05, 0.5, 0.8])
def test_every_candidate_is_once_in_the_pool_and_reads_back_as_written(profile: Profile, target: float) -> None:
    found = candidates(profile, "sparsegpt", target)
    assert len(set(found.allocations)) == len(found.allocations) == len(found.harms) and np.isfinite(found.harms).all()
    assert [grammar.read_allocation(grammar.write(each)) for each in found.allocations] == [*found.allocations]
    methods = {each.base.title for each in found.allocations}
    assert {"Uniform", "OWL", "DLP", "AlphaPruning", "Depth ramp", "Response"} <= methods
    signs = {each.correction.control for each in found.allocations if each.correction.strength}
    assert signs == {"none", "reversed"}
    assert {each.base.pruner for each in found.allocations if each.base.kind == "response"} == {"wanda"}, "its curves"


def test_linears_are_candidates_where_they_were_measured_and_nothing_beyond_what_was_is() -> None:
    for here, there in ((of_linears(LAYERS), True), (random_profile(LAYERS), False)):
        found = candidates(here, "wanda", 0.6)
        assert ("Response per linear" in {each.base.title for each in found.allocations}) is there
        assert any("per linear" in each and "left out" in each for each in found.left_out) is not there
    high = candidates(random_profile(LAYERS), "wanda", 0.89)
    assert any("beyond 0.9" in each for each in high.left_out)
    assert not candidates(random_profile(LAYERS), "wanda", 0.93).allocations


def test_the_next_is_the_best_predicted_whose_interval_reaches_below_the_best_measured(profile: Profile) -> None:
    pool = candidates(profile, "wanda", 0.7)
    known = {"uniform:0.7": 2.0, "response:0.7": 1.0}
    study = evaluated(profile, known)
    asked = pool.best(study, WANDA, set())
    predicted = fitting(study, profile, WANDA).predictor(pool.harms)
    hopeful = predicted.low < 1.0
    assert hopeful.any() and asked == pool.allocations[int(np.where(hopeful, predicted.increase, np.inf).argmin())]
    again = pool.best(study, WANDA, {asked.base.title})
    assert again.base.title != asked.base.title
    assert pool.best(study, WANDA, {each.base.title for each in pool.allocations}) is None
    done = evaluated(profile, known | {"owl:0.7": -0.01})
    assert pool.best(done, WANDA, set()) is None, "no interval reaches so low"


def test_without_a_prediction_the_candidate_of_least_harm_is_next(profile: Profile) -> None:
    pool = candidates(profile, "wanda", 0.7)
    asked = pool.best(evaluated(profile, {"uniform:0.7": 2.0}), WANDA, set())
    assert asked == pool.allocations[int(pool.harms.sum(1).argmin())]
