"""The prune page's verdicts over studies in memory: what windows, calibration seeds and shuffles allow to say."""

import pytest

from core.results import UNKNOWN, Change, SeedResult, Study, candidates
from core.show.words import perplexity_sentences
from tests import synthetic
from tests.pages.prune_page import LAYERS, OWL, PROFILE


def said_of(asked, costs, windows=24):
    """The verdict of the first slice of a study in memory."""
    spec = synthetic.study_spec(PROFILE, asked, windows)
    losses = [(each, synthetic.evaluated(each, windows, LAYERS, costs)) for each in spec.points]
    results = Study(spec, {}, tuple(SeedResult(each.setting, each.pruned, loss, {}, {}) for each, loss in losses))
    return " ".join(perplexity_sentences.sentences(results, next(iter(results.slices)), None))


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
