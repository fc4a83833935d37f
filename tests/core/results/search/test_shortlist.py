"""Which candidates a search predicts, and which of them it evaluates next."""

import numpy as np
import pytest

from core.methods import Treatment
from core.requests import Recipe, grammar
from core.results import forecast_of_study, search_plan, transferred_to
from tests.core.allocating import of_linears
from tests.core.allocating import profile as random_profile

LAYERS, WANDA = 6, Treatment("wanda")


@pytest.fixture
def evaluated(study):
    """Store allocations whose loss is known beforehand, nats over the dense model's."""

    def save(losses, **more):
        settings = {Recipe(allocation=grammar.read_allocation(line)): loss for line, loss in losses.items()}
        return study(*settings, cost=settings.__getitem__, **more)

    return save


@pytest.mark.parametrize("target", [0.05, 0.5, 0.8])
def test_every_candidate_is_once_in_the_pool_and_reads_back_as_written(profile, target):
    found = search_plan.candidates(profile, "sparsegpt", target)
    assert len(set(found.allocations)) == len(found.allocations) == len(found.harms) and np.isfinite(found.harms).all()
    assert [grammar.read_allocation(grammar.write(each)) for each in found.allocations] == [*found.allocations]
    methods = {each.base.title for each in found.allocations}
    assert {"Uniform", "OWL", "DLP", "AlphaPruning", "Depth ramp", "Response"} <= methods
    signs = {each.correction.control for each in found.allocations if each.correction.strength}
    assert signs == {"none", "reversed"}
    assert {each.base.pruner for each in found.allocations if each.base.kind == "response"} == {"wanda"}, "its curves"


def test_linears_are_candidates_where_they_were_measured_and_nothing_beyond_what_was_is():
    plain = random_profile(LAYERS)
    for here, there in ((of_linears(LAYERS), True), (plain, False)):
        found = search_plan.candidates(here, "wanda", 0.6)
        assert ("Response per matrix" in {each.base.title for each in found.allocations}) is there
        assert any("per linear" in each and "left out" in each for each in found.left_out) is not there
    assert any("beyond 0.9" in each for each in search_plan.candidates(plain, "wanda", 0.89).left_out)
    assert not search_plan.candidates(plain, "wanda", 0.93).allocations


def test_the_next_is_the_best_predicted_whose_interval_reaches_below_the_best_measured(profile, evaluated):
    pool = search_plan.candidates(profile, "wanda", 0.7)
    known = {"uniform:0.7": 2.0, "response:0.7": 1.0}
    study = evaluated(known)
    anchors = [forecast_of_study(study, profile, WANDA)]
    asked = pool.best(study, anchors, WANDA, set())
    least = grammar.read_allocation("response:0.7")
    predicted = anchors[0].predictors["loss"](pool.harms, pool.harms[[pool.allocations.index(least)]])
    hopeful = predicted.low < 1.0
    first = int(np.where(hopeful, predicted.value, np.inf).argmin())
    assert hopeful.any() and asked == Recipe(allocation=pool.allocations[first])
    again = pool.best(study, anchors, WANDA, {(asked.allocation.base.title, WANDA)})
    assert again.allocation.base.title != asked.allocation.base.title
    every = {(each.base.title, WANDA) for each in pool.allocations}
    assert pool.best(study, anchors, WANDA, every) is None and pool.best(None, [], WANDA, every) is None
    done = evaluated(known | {"owl:0.7": -0.01})
    assert pool.best(done, [forecast_of_study(done, profile, WANDA)], WANDA, set()) is None, "none reaches so low"
    least_harm = pool.best(None, [], WANDA, set())
    assert least_harm.allocation == pool.allocations[int(pool.harms.sum(1).argmin())]


def test_anchors_of_another_text_predict_up_to_a_factor_that_few_settings_tell(profile, evaluated):
    losses = {f"uniform:{each}": 4 * each**3 for each in (0.5, 0.6, 0.7, 0.8)}
    there, doubled = evaluated(losses), {each: 2 * loss for each, loss in losses.items()}
    pool, known = search_plan.candidates(profile, "wanda", 0.7), forecast_of_study(there, profile, WANDA)
    alone = known.increases_from_harms(pool.harms)
    widths = []
    for count in (1, 3):
        here = evaluated(dict(list(doubled.items())[:count]), text="another text")
        [moved] = transferred_to(here, [known])
        found = moved.increases_from_harms(pool.harms)
        assert found.value == pytest.approx(2 * alone.value, rel=0.1)
        assert ((found.high / found.value) > (alone.high / alone.value)).all()
        widths.append(found.high / found.value)
        assert moved.as_perplexities(found).value == pytest.approx(here.dense.perplexity * np.exp(found.value))
    assert (widths[1] < widths[0]).all()
