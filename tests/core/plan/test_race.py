"""The race of the methods: who runs, with which numbers, and what is said of the winner."""

import math
from itertools import combinations

import numpy as np
import pytest

from core.methods import METHODS
from core.methods.alphapruning import AlphaPruning
from core.methods.owl import Owl
from core.methods.response import Response
from core.methods.treatments import Treatment
from core.methods.uniform import Uniform
from core.plan.allocation import allocate
from core.requests.allocations import AllocationRequest, Correction
from core.requests.recipes import Recipe
from core.results import leaderboard as race
from core.results import protocols
from core.results.stored_forecasts import best_forecast as fit
from core.results.study_results import Slice
from core.show.figures.allocation import UNKNOWN, perplexity_by_method
from core.show.figures.palette import DARK, LIGHT, colour, in_palette
from core.show.words import perplexity_sentences
from core.store import profiles
from core.store.cache import Store
from tests import synthetic

LAYERS, TARGET = 6, 0.7
FIX = Correction(strength=0.04)
TUNED = Owl(m=7.0, lam=0.1)


SPEC = synthetic.profile_spec(LAYERS, prunable=True).model_copy(update={"removal": True})


def study(root, *asked, **more):
    """All evaluations of the model in a cache, with one more study."""
    settings = [each if isinstance(each, Recipe) else Recipe(allocation=each) for each in asked]
    spec = synthetic.study_spec(SPEC, settings, LAYERS, text=more.pop("text", "invented evaluation"))
    synthetic.save_study(root, spec, LAYERS, **more)
    store = Store(root)
    return list(protocols.grouped_by_protocol(store, store.of_model(SPEC.model, "study")).values())


def profile(root):
    store = Store(root)
    return profiles.load(store, store.profile(synthetic.save_profile(root, SPEC, LAYERS)))


def at_target(base, **more):
    return AllocationRequest(base=base, target=TARGET, **more)


@pytest.fixture
def measured(tmp_path):
    """A profile, and its model evaluated with four methods, OWL with parameters of its own, and a correction."""
    fixes = (FIX, FIX.model_copy(update={"control": "reversed"}))
    asked = [*map(at_target, (TUNED, AlphaPruning(), Response())), *(at_target(Uniform(), correction=f) for f in fixes)]
    return profile(tmp_path), study(tmp_path, *asked, profile=SPEC.key)


def run(measured, target=TARGET):
    profile, groups = measured
    return race.Leaderboard(profile, *(race.place_at(groups, target) or ())).ranking(AllocationRequest(target=target))


def test_every_method_of_the_table_runs_and_the_measured_ones_lead(measured):
    contenders = run(measured)
    assert {each.kind for each in contenders} == {*METHODS}
    known = [each for each in contenders if each.measured]
    assert [each.perplexity for each in known] == sorted(each.measured.perplexity for each in known)
    assert {each.kind for each in contenders[len(known) :]} == {*METHODS} - {
        "uniform",
        "owl",
        "alphapruning",
        "response",
    }


def test_a_measured_method_runs_with_what_was_measured_and_another_with_what_is_usual(measured):
    found = {each.kind: each for each in run(measured)}
    assert (found["owl"].name, found["owl"].spoken) == ("OWL, m 7, lam 0.1", "OWL (m 7, lam 0.1)")
    np.testing.assert_array_equal(found["owl"].sparsity, found["owl"].measured.planned)
    usual = allocate(AllocationRequest(base=METHODS["dlp"](), target=TARGET), measured[0]).sparsity
    np.testing.assert_allclose(found["dlp"].sparsity, usual)


def test_where_nothing_was_measured_nobody_wins(measured):
    contenders = run(measured, 0.55)
    assert all(each.measured is None for each in contenders) and race.place_at(measured[1], 0.55) is None
    assert perplexity_by_method(contenders, 12.0).finding == "None of these was measured."


def test_one_that_is_lowest_by_luckier_seeds_alone_is_not_called_lower_than_uniform(tmp_path):
    def rise(setting):
        cost = {"uniform": 2.0, "owl": 2.05}.get(setting.allocation.base.kind, 2.4)
        return cost + 0.3 * (setting.calibration_seed > 0)

    asked = [(Owl(), 0), *((AlphaPruning(), seed) for seed in range(3))]
    settings = [Recipe(allocation=at_target(base), calibration_seed=seed) for base, seed in asked]
    contenders = run((profile(tmp_path), study(tmp_path, *settings, profile=SPEC.key, cost=rise)))
    ends = contenders[0].measured.against_uniform.quoted
    assert contenders[0].kind == "owl" and ends.low > 0
    chart = perplexity_by_method(contenders, 12.0)
    assert f"+{ends.value:.0f} %" in dict(zip(chart.figure.data[1].y, chart.figure.data[1].text, strict=True))["OWL"]
    assert "but is worse than Uniform" in chart.finding


def test_the_allocation_on_screen_is_known_where_it_was_measured(measured):
    place = race.place_at(measured[1], TARGET)
    planned = next(each.sparsity for each in run(measured) if each.kind == "owl")
    profile = measured[0]
    assert race.Leaderboard(profile, *place).in_view("mine", planned).measured.setting.allocation.base == TUNED
    assert race.Leaderboard(profile, *place).in_view("mine", planned[::-1].copy()).measured is None
    assert race.Leaderboard(profile).in_view("mine", planned).measured is None


def test_methods_that_were_trained_for_another_budget_do_not_run(tmp_path):
    def trained(base, tokens):
        return Recipe(allocation=at_target(base), repair="distill", recover_tokens=tokens)

    asked = trained(TUNED, 2000), trained(AlphaPruning(), 1000)  # each beside its uniform twin
    groups = study(tmp_path, *asked, trained(Response(), 2000), profile=SPEC.key)
    part = Slice(Treatment("wanda", "distill"), None, TARGET)
    assert len(groups[0].within(part)) == 5
    found = race.Leaderboard(profile(tmp_path), groups[0], part).ranking(AllocationRequest(target=TARGET))
    known = [each.measured.setting for each in found if each.measured]
    assert sorted(each.allocation.base.kind for each in known) == ["owl", "response", "uniform"]
    assert {each.recover_tokens for each in known} == {2000}


def test_a_budget_per_linear_that_was_measured_by_another_profile_runs_beside_that_per_layer(tmp_path):
    linears = Response(granularity="linear")
    study(tmp_path, at_target(Response()), profile=SPEC.key)
    found = profile(tmp_path), study(tmp_path, at_target(linears), profile="b" * 16)
    groups = found[1]
    assert len(groups) == 2
    one, each_linear = (each for each in run(found) if each.kind == "response" and each.measured)
    if one.measured.planned.ndim == 2:
        one, each_linear = each_linear, one
    assert (one.measured.planned.ndim, each_linear.measured.planned.ndim) == (1, 2)
    assert each_linear.name == "Response per linear"
    assert each_linear.sparsity.shape == (LAYERS,) and each_linear.measured.uniform is one.measured.uniform
    planned = each_linear.measured.planned
    mine = race.Leaderboard(found[0], *race.place_at(groups, TARGET)).in_view("mine", planned)
    assert mine.measured is each_linear.measured
    np.testing.assert_array_equal(mine.sparsity, each_linear.sparsity)


@pytest.mark.parametrize(
    ("base", "pruner", "named"),
    [
        (TUNED, "wanda", "Wanda"),
        (Owl(), "wanda", "Wanda"),
        (Owl(), "sparsegpt", "SparseGPT"),
        (AlphaPruning(), "sparsegpt", "SparseGPT"),
    ],
)
def test_the_correction_is_told_of_what_is_most_like_the_base(base, pruner, named, tmp_path):
    for text, tried in (("one text", Uniform()), ("another text", TUNED)):
        asked = [at_target(tried, correction=fix) for fix in (Correction(), FIX)]
        settings = [Recipe(allocation=each, pruner=name) for each in asked for name in ("wanda", "sparsegpt")
                    if tried == TUNED or name == "wanda"]  # fmt: skip
        groups = study(tmp_path, *settings, text=text)
    said = perplexity_sentences.corrected(groups, AllocationRequest(base=base, target=TARGET), pruner)
    assert (
        said.startswith(f"Measured at 70 % zeros, {named} (invented evaluation text 24 × 512, ")
        and "its base, OWL" in said
    )


@pytest.mark.parametrize(
    ("fixes", "reverses"),
    [
        ([(Owl(), 0.04, "reversed"), (Owl(), 0.04, "none")], 1),
        ([(Owl(), 0.02, "none"), (Owl(), 0.02, "reversed"), (Owl(), 0.08, "none")], 0),
        ([(AlphaPruning(), 0.04, "reversed"), (Owl(), 0.04, "none")], 0),
    ],
)
def test_its_reverse_is_that_of_the_same_correction_and_follows_it(fixes, reverses, tmp_path):
    asked = [(base, Correction(strength=strength, control=control)) for base, strength, control in fixes]
    asked += [(base, Correction()) for base, _ in asked]
    groups = study(tmp_path, *(at_target(base, correction=fix) for base, fix in asked))
    said = perplexity_sentences.corrected(groups, AllocationRequest(base=METHODS["dlp"](), target=TARGET))
    assert f"The correction at strength {fixes[-1][1]} " in said
    assert "its base, OWL" in said and said.count("Reversed ") == reverses


def test_every_method_has_a_row_and_only_measured_ones_a_dot(measured):
    contenders = run(measured)
    chart = perplexity_by_method(contenders, 12.0)
    assert chart.table["method"].tolist() == [each.name for each in contenders]
    points, words = chart.figure.data
    dots, texts = dict(zip(points.y, points.x, strict=True)), words.text
    assert {name for name, value in dots.items() if math.isfinite(value)} == {r.name for r in contenders if r.measured}
    assert all(dots[each.name] == pytest.approx(each.perplexity) for each in contenders if each.measured)
    assert [UNKNOWN in text for text in texts] == [each.measured is None for each in contenders]
    assert "12.0" in chart.finding and contenders[0].spoken in chart.finding
    assert ("not certainly" in chart.finding) == race.tied(*contenders[:2])


def test_where_uniform_broke_no_change_is_shown_and_it_is_said_why(tmp_path):
    rise = lambda setting: math.nan if setting == setting.uniform else 0.1  # noqa: E731
    groups = study(tmp_path, at_target(Owl()), at_target(AlphaPruning()), profile=SPEC.key, cost=rise)
    contenders = run((profile(tmp_path), groups))
    chart = perplexity_by_method(contenders, 12.0)
    words = chart.figure.data[1]
    labels, flat = words.text, dict(zip(words.y, words.text, strict=True))["Uniform"]
    assert "not a number" in flat and not any("nan" in text for text in labels)


def test_a_method_that_goes_beyond_what_was_measured_is_predicted_up_to_there(measured):
    profile, groups = measured
    anchors = fit(groups, profile, Treatment("wanda"))
    every = race.Leaderboard(profile, anchors.study, None, anchors).ranking(AllocationRequest(target=0.85))
    kept = {each.name for each in every if each.name.endswith("high 0.9")}
    assert "DLP, high 0.9" in kept and "Uniform" not in kept
    assert all(each.predicted and each.sparsity.max() <= 0.9 + 1e-9 for each in every)
    alone = race.Leaderboard(profile).ranking(AllocationRequest(target=0.85))
    assert not any("high" in each.name for each in alone), "nothing predicts: no method has to be kept to it"


def test_what_was_not_measured_runs_with_what_is_predicted_of_it(measured):
    profile, groups = measured
    anchors = fit(groups, profile, Treatment("wanda"))
    for target in (TARGET, 0.55):
        place = race.place_at(groups, target) or (anchors.study, None)
        contenders = race.Leaderboard(profile, *place, anchors).ranking(AllocationRequest(target=target))
        costs = [each.perplexity for each in contenders]
        assert costs == sorted(costs) and all(map(math.isfinite, costs)) and len(costs) == len(METHODS)
        for each in contenders:
            assert (each.measured is None) == (each.predicted is not None)
            if each.predicted:
                exact = allocate(AllocationRequest(base=METHODS[each.kind](), target=target), profile).exact
                assert each.predicted == anchors.predict(exact) and each.interval == each.predicted[1:3]
        chart = perplexity_by_method(contenders, 12.0)
        hollow = [symbol == "circle-open" for symbol in chart.figure.data[0].marker.symbol]
        assert hollow == [each.predicted is not None for each in contenders]
    assert chart.finding.startswith("Of these, ") and " is predicted to have the lowest perplexity, " in chart.finding
    mine = race.Leaderboard(profile, anchors.study, None, anchors).in_view("mine", contenders[0].sparsity)
    assert mine.predicted == contenders[0].predicted and race.tied(mine, contenders[0])


@pytest.mark.parametrize("look", [LIGHT, DARK])
def test_methods_have_colours_that_are_like_no_other(look):
    hues = [in_palette(colour(kind), look) for kind in METHODS if kind != "uniform"]
    shades = [tuple(bytes.fromhex(hue[1:])) for hue in (*hues, look.amplify, look.absorb, look.accent, look.undecided)]
    assert all(math.dist(*pair) > 30 for pair in combinations(shades, 2))
