"""The prune page's verdicts over studies in memory: what windows, calibration seeds and shuffles allow to say."""

import pytest

from core.methods import Manual
from core.requests import grammar, recipe_names
from core.requests.allocations import AllocationRequest, Correction
from core.requests.recipes import Recipe
from core.results import candidates, protocols
from core.results.setting_result import UNKNOWN, Change, SeedResult
from core.results.study_results import Study
from core.results.study_table import rows_of, study_table
from core.show.figures import evaluation as drawing
from core.show.words import perplexity_sentences
from core.store.cache import Store
from core.store.profiles import load
from pages.ui import studies
from tests import synthetic
from tests.pages.prune_page import LAYERS, OWL, PROFILE, owl_corrected


def study(asked, windows=24, costs=synthetic.invented_cost):
    """A study in memory."""
    spec = synthetic.study_spec(PROFILE, asked, LAYERS, windows)
    losses = {each: synthetic.evaluated(each, windows, LAYERS, costs) for each in spec.points}
    return Study(spec, {}, tuple(SeedResult(each.setting, each.pruned, losses[each], {}, {}) for each in losses))


def test_names_tell_settings_apart():
    plain, other = OWL, grammar.method("owl m=3", 0.7)
    by_hand = [
        AllocationRequest(base=Manual(sparsity=(level,) * 6), target=0.7, unclipped=True) for level in (0.7, 0.700001)
    ]
    asked = candidates.combined([plain, other, *by_hand, *candidates.alone(owl_corrected(0.04))], "wanda", (0,))
    names = recipe_names.titles(asked)
    assert len(set(names.values())) == len(set(asked))
    assert {"OWL, corrected 0.04", "set by hand", "set by hand #2", "OWL, m 3"} <= set(names.values())
    targets = [Recipe(allocation=grammar.method("owl", target)) for target in (0.5, 0.7)]
    assert list(recipe_names.titles(targets).values()) == ["OWL", "OWL"], "a target is said apart"


def test_a_correction_is_never_read_as_that_of_another_base():
    drift, plain = (grammar.method(words, 0.7) for words in ("response objective=drift", "response"))
    corrected = plain.model_copy(update={"correction": Correction(strength=0.02)})
    other = drift.model_copy(update={"correction": Correction(strength=0.02)})
    asked = candidates.combined([drift, corrected], "wanda", (0,))
    assert list(recipe_names.titles(asked).values()) == ["Response, objective drift", "Response, corrected 0.02"]
    asked = candidates.combined([plain, other], "wanda", (0,))
    assert list(recipe_names.titles(asked).values()) == ["Response", "Response, objective drift, corrected 0.02"]
    assert list(recipe_names.titles(asked[1:]).values()) == [
        "Response, corrected 0.02"
    ]  # nothing else to be mistaken for


def said_of(asked, costs, shown=None, windows=24):
    """The verdict of the first slice of a study in memory."""
    results = study(asked, windows, costs)
    return " ".join(perplexity_sentences.sentences(results, results.slices[0], shown and results.of(shown)))


@pytest.mark.parametrize(
    ("seeds", "windows", "end"),
    [
        ((-0.3,), 24, "against uniform (1 calibration seed)."),
        ((-0.3, -0.31, -0.32), 24, "; over 3 calibration seeds -27 % [-28, -25]."),
        ((-0.1, -0.2, -1.2), 24, "; over 3 calibration seeds -39 % [-87, +175], which is not certain."),
        ((-0.3, -0.3, -0.3), 4, "too few windows to tell (n = 4, 8 are needed)."),
    ],
)
def test_a_verdict_says_what_calibration_seeds_make_of_it(seeds, windows, end):
    def costs(setting):
        return 1.0 + (seeds[setting.calibration_seed] if setting.allocation.base.kind == "owl" else 0.0)

    assert said_of(candidates.combined([OWL], "wanda", tuple(range(len(seeds)))), costs, windows=windows).endswith(end)


@pytest.mark.parametrize(
    ("corrected", "reversed_", "shuffled", "said"),
    [
        ((-0.3,), 0.2, 0.2, "the gain is the correction's own, as far as 1 calibration seed can tell."),
        ((-0.3, -0.3, -0.3), 0.2, 0.2, "Every control does worse: the gain is the correction's own."),
        ((-0.1, -0.2, -1.2), 0.2, 0.2, "which is not certain"),
        ((0.15,), 0.15, 0.15, "raises perplexity by 16.2 %|Reversed is no different from the correction"),
        ((-0.15,), -0.15, 0.1, "lowers perplexity by 13.9 %|it is not the measured absorption that helps"),
        ((0.0,), -0.3, 0.0, "is no different from its base, OWL|Reversed lowers perplexity by 25.9 %"),
    ],
)
def test_a_gain_is_the_corrections_own_as_far_as_its_controls_and_seeds_tell(corrected, reversed_, shuffled, said):
    asked = candidates.family(OWL, "gaussian:0.3", [0.0, 0.04], ["reversed", "shuffled"], 1)

    def costs(setting):
        fix = setting.allocation.correction
        rises = {"none": corrected[setting.calibration_seed], "reversed": reversed_, "shuffled": shuffled}
        return 1.0 + (rises[fix.control] if fix.strength else 0.0)

    found = said_of(candidates.combined(asked, "wanda", tuple(range(len(corrected)))), costs)
    assert all(part in found for part in said.split("|")), found
    assert ("the correction's own" in found) == ("own" in said), found


def test_settings_without_a_seed_in_common_are_not_called_broken():
    said = perplexity_sentences.against("OWL", "uniform", Change(UNKNOWN, UNKNOWN))
    assert "no calibration seed" in said and "not compared" in said


@pytest.mark.parametrize(
    ("shuffles", "corrected", "expected"),
    [
        ((0.0, 0.0, 0.4, 0.2, 0.0), 0.2, "5 shuffles against the correction: 3 better, 1 worse and 1 no different."),
        ((0.3,), 0.1, "1 shuffle against the correction: worse."),
    ],
)
def test_a_correction_has_a_place_among_shuffles(shuffles, corrected, expected):
    asked = candidates.family(OWL, "gaussian:0.3", [0.0, 0.04], ["shuffled"], len(shuffles))

    def costs(setting):
        fix = setting.allocation.correction
        if not fix.strength:
            return 1.0
        return 1.0 + (corrected if fix.control == "none" else shuffles[fix.seed])

    results = study(candidates.combined(asked, "wanda", (0,)), 24, costs)
    part = results.slices[0]
    said = " ".join(perplexity_sentences.sentences(results, part, None))
    assert expected in said, said
    [base] = drawing.corrected_bases(results, part)
    assert drawing.correction(results, base, None).finding.startswith("1 measured strength against OWL: worse.")


def test_a_setting_has_one_change_on_every_page(tmp_path):
    """On the committed results, where settings share some of their calibration seeds with uniform."""
    store = Store(tmp_path)
    profile = load(store, store.demo())
    groups = studies.groups(profile)
    group = protocols.with_comparable(groups[0], groups)
    part = next(each for each in group.slices if each.target == 0.7)
    table = study_table(rows_of(group, group.within(part)))
    here = dict(zip((row.allocation for row in table.rows), table.numbers["against uniform, %"], strict=True))
    names = {row.allocation: row.one.name for row in table.rows}
    drawn = drawing.against_uniform(group, part, None).table.set_index("setting")["change, %"]
    assert {"AlphaPruning", "Response"} <= set(here)
    for name, value in here.items():
        assert value is None or drawn.get(names[name], value) == pytest.approx(value)
    [owl] = (one for one in group.within(part) if one.setting.allocation.base.kind == "owl" and not one.strength)
    assert (
        perplexity_sentences.leading(group, part, Recipe(allocation=OWL)) is owl
    )  # the page opens at OWL with other parameters


def test_the_perplexities_that_one_is_compared_with_stand_beside_it():
    group = study((Recipe(), Recipe(allocation=OWL)), 24, lambda setting: 3 - 0.4 * (setting != setting.uniform))
    owl = group.of(Recipe(allocation=OWL))
    even, dense = owl.uniform.written, group.dense.written
    assert perplexity_sentences.behind(owl, group) == f"Against {even} for uniform and {dense} for the dense model."


def test_the_lowest_at_the_same_zeros_is_named_by_whatever_pruner():
    def costs(setting):
        return 3 - 0.5 * (setting.pruner == "sparsegpt") - 0.1 * (setting.allocation.base.kind == "owl")

    tried = (Recipe(), Recipe(allocation=OWL), Recipe(allocation=OWL, pruner="sparsegpt"))
    group = study((*tried, Recipe(allocation=OWL.model_copy(update={"target": 0.5}))), 24, costs)
    lowest, other = group.of(tried[2]), group.of(tried[1])
    assert perplexity_sentences.lowest(lowest, group) == ""
    said = perplexity_sentences.lowest(other, group)
    assert said.startswith("Lowest by any pruner at 70 % zeros: ") and "SparseGPT" in said
    assert f"{lowest.perplexity:.1f}" in said
