"""The comparison notices every way in which two figures can differ, and what is asked for holds every method."""

import math
from typing import get_args

import pytest

from core.methods import BASES, SPARSIFIERS
from core.requests import Control
from tests.replay.compare import difference, report
from tests.replay.probe.plain import ASKED

FIGURES = {"profile/a/gains": [1.25, 0.5, math.nan], "profile/a/n": 16, "study/b/verdict": "costs", "study/b/low": None}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("profile/a/n", 17, ": 16 -> 17"),
        ("profile/a/n", True, ": 16 -> True"),
        ("study/b/verdict", "gains", ": costs -> gains"),
        ("study/b/low", math.nan, ": None -> nan"),
        ("study/b/low", [], ": None -> []"),
        ("study/c", 1, ": absent -> 1"),
        ("profile/a/gains", [math.nextafter(1.25, 2), 0.5, math.nan], "[0]: 1.25 -> 1.2500000000000002"),
        ("profile/a/gains", [1.25, math.nan, math.nan], "[1]: 0.5 -> nan"),
        ("profile/a/gains", [1.25, 0.5], "[2]: nan -> absent"),
        ("profile/a/gains", [1.25, 0.5, math.nan, 2.0], "[3]: absent -> 2.0"),
        (
            "profile/a/gains",
            [1.0, 0.25, math.nan],
            "[0]: 1.25 -> 1.0  (2 of 3 differ, by up to 0.5 of the number before)",
        ),
    ],
)
def test_another_value_is_told_by_its_place_with_both(name, value, said):
    assert difference(name, FIGURES, FIGURES | {name: value}) == name + said


def test_equal_figures_are_counted_by_kind():
    same = {"profile/a/gains": [1.25, 0.5, float("nan")]}
    assert report(FIGURES, FIGURES | same) == ("equal: 4 figures with 6 values of 2 kinds (profile 2, study 2)", True)


def test_differences_are_grouped_by_kind_and_a_kind_that_one_side_lacks_is_named():
    said, alike = report(FIGURES | {"study/d": 1, "older/e": 2}, FIGURES | {"study/b/verdict": "gains", "study/c/n": 3})
    assert not alike
    assert said.splitlines() == [
        "study:",
        "  study/b/verdict: costs -> gains",
        "  study/c/n: absent -> 3",
        "  study/d: 1 -> absent",
        "different: 3 of 4 study; 5 figures before, 5 after; not compared, for one side lacks it: older",
    ]


def test_every_method_is_asked_for():
    bases, variations = ASKED["allocation"]["bases"].values(), ASKED["allocation"]["variations"].values()
    assert {row["base"] for row in bases} == set(BASES)
    assert {row.get("control", "none") for row in variations} == set(get_args(Control))
    assert {row.get("pruner", "wanda") for row in ASKED["prune"].values()} == set(SPARSIFIERS)
