"""Anchors: which evaluated settings predict, what is refused in a sentence, how wrong they are on committed results."""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest

from core.base import UserError
from core.methods import Treatment
from core.plan import allocate
from core.requests import AllocationRequest, Recipe, uniform, write
from core.results import Prediction, default_anchors, load_forecast, stored_forecasts
from core.show.report import BENCHES
from tests import synthetic
from tests.bench import predictions
from tests.builders import profiles as builders

WANDA = Treatment("wanda")
LAYERS = 6
EVEN = AllocationRequest(base=uniform(0.5).base, target=0.5)


@pytest.fixture
def forecast(empty, profile):
    """The forecast of a treatment that the studies in the cache allow."""
    return lambda treatment=WANDA, here=profile, **more: load_forecast(empty, here, treatment, **more)


def at(*targets, **more):
    return [Recipe(allocation=uniform(each), **more) for each in targets]


def test_the_default_anchors_are_uniform_at_three_targets_and_response_at_one(forecast, study, profile):
    asked = default_anchors(profile, Treatment("alps", "refit_dense"))
    said = [(each.allocation.base.kind, each.allocation.target, each.treatment.name) for each in asked]
    assert said == [(kind, target, "alps+refit_dense") for kind, target in
                    (("uniform", 0.5), ("uniform", 0.7), ("uniform", 0.8), ("response", 0.7))]  # fmt: skip
    study(*default_anchors(profile, WANDA))
    found = forecast()
    assert len(found.settings) == 4 and found.leave_one_out.covered <= 1
    near = found.predict(allocate(EVEN, profile).exact)
    [measured] = (each for each in found.settings if each.setting.allocation == EVEN)
    for cost, low, high, known in ((*near.kl, measured.mean("kl")), (*near.changed, 1 - measured.mean("agreement"))):
        assert 0 < low < cost < high and low <= known <= high
    true = found.study.dense.perplexity * np.exp(synthetic.invented_cost(at(0.5)[0]))
    assert near.low <= true <= near.high and near.low < near.perplexity < near.high


def test_seeds_are_one_anchor_and_what_broke_the_model_is_named(forecast, study):
    seeds = [each for seed in (0, 1, 2) for each in at(0.5, 0.6, 0.8, calibration_seed=seed)]
    [broken] = at(0.8)
    study(*seeds, broken={each: 1 for each in seeds if each.seedless == broken})
    found = forecast()
    assert [each.setting.allocation.target for each in found.settings] == [0.5, 0.6]
    assert found.excluded == ("Uniform, 80 % zeros, Wanda is left out: its perplexity is not finite.",)


def test_texts_repairs_and_models_are_never_mixed(empty, forecast, study):
    study(*at(0.5))
    study(*at(0.7), text="another text")
    study(*at(0.6, repair="refit"))
    with pytest.raises(UserError, match="1 setting evaluated with Wanda can predict this model, and 2 or more"):
        forecast()
    other = builders.stored(empty, layers=LAYERS, preset="paper", prunable=True, seed=1)
    study(*at(0.6, 0.7))
    assert len(forecast().settings) == 3
    with pytest.raises(UserError, match="no setting evaluated with Wanda can predict this model"):
        forecast(here=other)


def test_of_trainings_with_several_budgets_those_of_the_most_settings_predict(forecast, study, profile):
    longer = {"repair": "distill", "recover_tokens": 2000}
    study(*at(0.5, 0.8, repair="distill", recover_tokens=1000), *at(0.5, 0.6, 0.7, **longer))
    found = forecast(Treatment("wanda", "distill"))
    assert {(each.setting.recover_tokens, each.target) for each in found.settings} == {
        (2000, target) for target in (0.5, 0.6, 0.7)
    }
    [other] = at(0.8)
    assert found.without_allocation(allocate(other.allocation, profile).exact, other.allocation)[1] is None, (
        "of another budget"
    )


def test_the_usual_protocol_predicts_and_where_it_has_too_few_the_one_that_judges_by_most_tokens(forecast, study):
    study(*at(0.5, 0.6, 0.7, 0.8), windows=48, text="another text")
    few = study(*at(0.5, 0.6), windows=99, text="a third text").spec.key  # too few for a curve
    assert forecast().study.spec.text.sequences == 48
    assert forecast(key=few).study.spec.key == few
    study(*at(0.4, 0.5, 0.6, 0.7, 0.8))
    assert forecast().study.spec.text.sequences == 24
    study(*at(*(0.3 + 0.1 * n for n in range(6)), pruner="magnitude"), text="a fourth text")
    assert forecast().study.spec.text.sequences == 48


def test_a_profile_without_curves_and_a_layer_beyond_them_are_refused(forecast, study, profile):
    study(*at(0.5, 0.7))
    known = {each: found for each, found in profile.perturbed.items() if each.perturbation.kind != "residual"}
    with pytest.raises(UserError, match="no sparsity of layers pruned alone by wanda"):
        forecast(here=replace(profile, perturbed=known))
    with pytest.raises(UserError, match=r"a layer has sparsity 0\.930, and none above 0\.9 was measured alone"):
        forecast().predict(np.full(LAYERS, 0.93))


@pytest.mark.parametrize("rise", [0.1, 3.0])
def test_the_sparsest_allocation_keeps_within_the_rise_and_one_per_cent_more_would_not(forecast, study, profile, rise):
    study(*default_anchors(profile, WANDA))
    found = forecast()
    best = found.sparsest(EVEN, rise)
    dense = found.study.dense.perplexity
    costs = [
        found.predict(np.full(LAYERS, target)).perplexity / dense - 1 for target in (best.target, best.target + 0.01)
    ]
    assert costs[0] <= rise < costs[1]


def test_allocate_says_the_prediction_and_the_reason_where_there_is_none(study, profile, say):
    study(*default_anchors(profile, WANDA))
    line = "allocate", "--profile", profile.key, "--allocation", "owl:0.6", "--max-loss", "20%", "--json"
    told = say(*line).json
    found = told["predicted"]
    assert found.keys() >= {*Prediction._fields, "pruner", "repair", "anchors", "leave_one_out"}
    assert len(found["anchors"]) == 4 and told["no_prediction"] is None
    assert found["loss_increase"] <= np.log(1.2) and told["request"]["target"] == pytest.approx(told["budget"])
    anchor = default_anchors(profile, WANDA)[0]
    told = say("allocate", "--profile", profile.key, "--allocation", write(anchor.allocation), "--json").json
    assert told["measured"]["perplexity"] > 1 and told["measured"]["against"] == "uniform", "beside what others predict"
    say(*line, "--pruner", "magnitude").refused("no setting evaluated with magnitude")


def test_committed_settings_are_predicted_as_well_as_evidence_says():
    """The bounds are the product's promise."""
    table, written = predictions.predictions().set_index("what"), BENCHES["prediction"].table("prediction")
    for kind, limits in (("", (2, 8, 88, 11)), ("default anchors: ", (4, 11, 88, 40))):
        median, ninety, holds, width = (table.loc[predictions.ALL, f"{kind}{each}"] for each in predictions.COLUMNS)
        assert median <= limits[0] and ninety <= limits[1] and holds >= limits[2] and width <= limits[3]
    pd.testing.assert_frame_equal(table, written.set_index("what"))  # else `make studies` writes it anew


def test_committed_comparisons_are_as_evidence_says():
    found, written = predictions.comparisons(), BENCHES["checkpoints"].table("checkpoints")
    kept = found[found.iloc[:, 0].isin(written.iloc[:, 0])].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, written)


def test_settings_are_predicted_by_the_others_of_their_protocol_wherever_these_are_stored(
    empty, forecast, study, profile
):
    predicted = partial(stored_forecasts.check_settings, empty)

    [asked], others = at(0.6), at(0.5, 0.7, 0.8)
    alone = study(asked)
    study(others[0])
    assert predicted(alone) == {}, "one other is too few"
    study(*others[1:])
    study(*at(0.65), text="another text")
    known = forecast(key=study(*others).spec.key)
    [found] = predicted(alone).values()
    assert found[:4] == pytest.approx(known.predict(allocate(asked.allocation, profile).exact)[:4], rel=1e-9)
    assert found.off == pytest.approx(found.loss_increase / synthetic.invented_cost(asked) - 1, abs=1e-4)
    assert predicted(study(*others, asked))[asked] == found
