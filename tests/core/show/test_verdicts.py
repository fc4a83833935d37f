"""What numbers may be said to say: one change, and many."""

import math

import pytest

from core.base import Estimate
from core.results import UNKNOWN, Change
from core.show.report import questions
from core.show.words import perplexity_sentences

NAN = math.nan

# --- one change ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "low", "high", "said"),
    [
        (12, 9, 15, "OWL raises perplexity by 12 % [9, 15] against uniform"),
        (-12, -15, -9, "OWL lowers perplexity by 12 % [9, 15] against uniform"),
        (-1, -3, 2, "OWL is no different from uniform: -1 % [-3, 2]"),
        (0.51, 0.3, 0.7, "OWL raises perplexity by 0.5 % [0.3, 0.7] against uniform"),
        (-0.41, -0.6, -0.2, "OWL lowers perplexity by 0.4 % [0.2, 0.6] against uniform"
                            ", no more than rounding can do at 70 % zeros"),
        (-0.3, -6, 5, "OWL is no different from uniform: 0 % [-6, 5]"),
        (0, 0, 0, "OWL is no different from uniform: 0.0 % [0.0, 0.0]"),
        (2, 0.04, 4, "OWL raises perplexity by 2.00 % [0.04, 4.00] against uniform"),
        (1.5, -0.4, 3.5, "OWL is no different from uniform: 1.5 % [-0.4, 3.5]"),
        (12_345, 10_000, 15_000, "OWL raises perplexity by 12,345 % [10,000, 15,000] against uniform"),
    ],
)  # fmt: skip
def test_what_may_be_said(value, low, high, said):
    assert perplexity_sentences.sentence("OWL", "uniform", Change(Estimate(value, low, high, 20), UNKNOWN)) == said


WIDE, ONE = Estimate(-39.0, -73.0, 40.0, 3), Estimate(-47.0, NAN, NAN, 1)


@pytest.mark.parametrize(
    ("windows", "seeds", "quoted"),
    [
        ((-39.0, -43.0, -34.0), WIDE, "-39 % [-73, +40] over 3 calibration seeds"),
        ((-47.0, -51.0, -42.0), ONE, "-47 % [-51, -42] over 1 calibration seed"),
        ((18.4, 17.0, 19.9), Estimate(18.4, NAN, NAN, 2), "+18.4 % [+17.0, +19.9] over 2 calibration seeds"),
        ((-64.0, -67.0, -60.0), UNKNOWN, "-64 % [-67, -60]"),
        ((-64.0, NAN, NAN), UNKNOWN, "-64 %, no interval"),
        ((NAN, NAN, NAN), UNKNOWN, "not a number"),
    ],
)
def test_a_value_over_seeds_is_quoted_with_the_interval_that_goes_with_it(windows, seeds, quoted):
    assert Change(Estimate(*windows, 16), seeds).said == quoted


# --- many changes --------------------------------------------------------------------------------------------------


BETTER, WORSE, ALIKE = (Estimate(value, value - 5, value + 5, 24) for value in (-20.0, 20.0, 1.0))
FEW = Estimate(-20.0, NAN, NAN, 4)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([BETTER, WORSE, ALIKE, WORSE], "4 settings against uniform: 1 better, 2 worse and 1 no different."),
        ([WORSE], "1 setting against uniform: worse."),
        ([BETTER, FEW], "2 settings against uniform: 1 better and 1 with too few windows to tell."),
        ([BETTER, UNKNOWN], "2 settings against uniform: 1 better and 1 not a number."),
        ([], ""),
    ],
)
def test_changes_are_counted_by_their_verdicts(found, said):
    assert perplexity_sentences.tally(found, "setting", "uniform") == said


@pytest.mark.parametrize("name", questions.QUESTIONS)
def test_a_verdict_does_not_repeat_the_pruner_and_repair_that_lead_it(name):
    found = questions.answer(name).study
    told = [each.split(": ", 1) for each in perplexity_sentences.of_study(found)]
    assert bool(told) == any(one.uniform for one in found.settings)  # of uniform alone there is nothing to say
    assert not [said for place, said in told for word in place.split(", ")[1].split(" + ") if word in said]
