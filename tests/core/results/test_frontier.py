"""The frontier: what a sketch predicts before anything was evaluated, and that what is recommended meets the goal."""

import math
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest

from core.base import UserError
from core.methods import OUTSIDE, TREATMENTS, Treatment
from core.plan import taken, with_target
from core.requests import Counts
from core.results import Frontier, study_results
from core.show.figures import frontier
from core.store import Store, profiles

COUNTS = Counts(106_168_320, 28_311_552, 35_136)
OF_ROUNDING = [each for each in TREATMENTS.values() if each.pruner in ("gguf", "integers", "quantised")]


def ways(key, by, results=()):
    store = Store()
    return Frontier(profiles.load(store, store.profile(key)), by, COUNTS, tuple(results), None)


def test_rounded_models_of_two_families_diverge_as_the_sketch_predicts_without_any_that_was_evaluated():
    held = []
    for key in ("demo", "693e71"):
        store = Store()
        for entry in store.of_model(ways(key, OF_ROUNDING[0]).profile.spec.model, "study"):
            for by in OF_ROUNDING:
                for one in study_results.load(store, entry, by).settings:
                    if one.setting.treatment == by and one.mean("kl") < 3:  # beyond, the model is broken
                        kl = ways(key, by)._predicted(one.planned)
                        held.append(kl.low <= one.mean("kl") <= kl.high)
    assert len(held) > 15 and sum(held) / len(held) >= 0.88


@pytest.mark.parametrize(("by", "share"), [("gguf", 0.69), ("gguf", 0.6), ("quantised_symmetric", 0.75)])
def test_what_is_recommended_is_within_the_goal_and_no_worse_than_what_is_plain(by, share):
    of = ways("demo", Treatment(by))
    even = of.even(share)
    best = of.best(even.amount)
    assert best.amount <= even.amount and best.kl.value <= even.kl.value and not best.is_measured
    assert best.amount == taken(COUNTS, of.treatment, best.request.target, best.request.outside)
    assert all(each.kl.value >= best.kl.value for each in of.plans if each.amount <= best.amount)
    assert of.point(of.plan(of.amount_within(0.1))).kl.value <= math.log(1.1)
    finding = frontier.frontier(of, best, even, best.amount).finding
    assert best.name in finding and "predicted" in finding and "measured;" not in finding
    with pytest.raises(UserError, match="allow more"):
        of.amount_within(1e-6)


def test_names_of_one_spot_stand_on_sides_of_their_own():
    sides = [each for each in frontier.beside(["name"] * 9, np.tile([145.0, 110, 4, 4], (9, 1))) if each]
    assert 1 < len(sides) == len({*sides})


@pytest.mark.parametrize(("key", "sizes"), [("demo", (78e6, 85e6, 92e6)), ("693e71", (160e6, 190e6, 220e6))])
def test_types_outside_the_layers_are_chosen_with_those_of_linears(key, sizes):
    of = ways(key, Treatment("gguf"))
    if key != "demo":
        of = replace(of, counts=Counts(100_270_080, 167_772_160, 55_936, 55_296))
    narrowest = of.plans[-1].request.outside
    assert narrowest == "Q4_0" and of.plans[-1].amount < of.plain[-1].amount
    for size in sizes:
        wish = of._request.replace(at_most=size)
        chosen = of.point(of.plan(size))
        others = []
        for name in of.treatment.budget_unit.names:
            with suppress(UserError):  # too much for what is left
                others.append(of.point(with_target(wish.replace(outside=name), of.counts, of.treatment, of.profile)))
        assert chosen.amount <= size and chosen.request.outside != OUTSIDE and "embeddings" in chosen.name
        assert chosen.kl.value <= 1.05 * min(each.kl.value for each in others)
    unknown = replace(of, profile=replace(of.profile, outside=None))
    with pytest.raises(UserError, match="even at Q4_0"):
        unknown.plan(of.plans[-1].amount)
    assert unknown.plan(of.plain[-1].amount).outside is None


def test_what_was_measured_takes_the_place_of_what_is_predicted():
    by = Treatment("gguf")
    of = ways("demo", by)
    [entry, *_] = (
        each for each in Store().of_model(of.profile.spec.model, "study")
        if any(point.setting and point.setting.treatment == by for point in each.spec.points)
    )  # fmt: skip
    results = [each for each in study_results.load(Store(), entry, by).settings if each.setting.treatment == by]
    measured = {each.name for each in ways("demo", by, results).plain if each.is_measured}
    assert measured == {by.budget_unit.phrase(each.target) for each in results} and not any(
        each.is_measured for each in of.plain
    )
