"""The comparison notices every way in which two figures can differ, and nothing else."""

from __future__ import annotations

import math

import pytest

from tests.replay.compare import differences, report

FIGURES = {"profile/a/gains": [1.25, 0.5, math.nan], "profile/a/n": 16, "study/b/verdict": "costs", "study/b/low": None}


@pytest.mark.parametrize(
    ("name", "value", "before", "after"),
    [
        ("profile/a/n", 17, "16", "17"),
        ("profile/a/n", True, "16", "True"),
        ("profile/a/n", math.nan, "16", "nan"),
        ("study/b/verdict", "gains", "costs", "gains"),
        ("study/b/low", math.nan, "None", "nan"),
        ("study/b/low", [], "None", "[]"),
    ],
)
def test_another_value_is_told_with_both(name: str, value: object, before: str, after: str) -> None:
    (found,) = differences(FIGURES, FIGURES | {name: value})
    assert (found.name, found.before, found.after) == (name, before, after)


@pytest.mark.parametrize(
    ("gains", "place", "after", "count"),
    [
        ([math.nextafter(1.25, 2), 0.5, math.nan], "[0]", "1.2500000000000002", ""),
        ([1.25, math.nan, math.nan], "[1]", "nan", ""),
        ([1.25, 0.5, 3.0], "[2]", "3.0", ""),
        ([1.25, 0.5], "[2]", "absent", ""),
        ([1.25, 0.5, math.nan, 2.0], "[3]", "2.0", ""),
        ([1.0, 0.25, math.nan], "[0]", "1.0", "2 of 3 differ, by up to 0.5 of the number before"),
    ],
)
def test_a_number_of_many_is_told_by_its_place(gains: list[float], place: str, after: str, count: str) -> None:
    (found,) = differences(FIGURES, FIGURES | {"profile/a/gains": gains})
    assert (found.name, found.after, found.note) == (f"profile/a/gains{place}", after, count)


def test_a_missing_and_an_extra_figure_differ() -> None:
    fewer = {name: value for name, value in FIGURES.items() if name != "profile/a/n"}
    (missing,), (extra,) = differences(FIGURES, fewer), differences(fewer, FIGURES)
    assert (missing.name, missing.before, missing.after) == ("profile/a/n", "16", "absent")
    assert (extra.name, extra.before, extra.after) == ("profile/a/n", "absent", "16")


def test_equal_figures_are_counted_by_kind() -> None:
    same = {"profile/a/gains": [1.25, 0.5, float("nan")]}
    assert report(FIGURES, FIGURES | same) == ("equal: 4 figures with 6 values of 2 kinds (profile 2, study 2)", True)


def test_differences_are_grouped_by_kind() -> None:
    said, alike = report(FIGURES, FIGURES | {"study/b/verdict": "gains", "profile/a/n": 17, "study/c/n": 3})
    assert not alike
    assert said.splitlines() == [
        "profile:",
        "  profile/a/n: 16 -> 17",
        "study:",
        "  study/b/verdict: costs -> gains",
        "  study/c/n: absent -> 3",
        "different: 1 of 2 profile, 2 of 3 study; 4 figures before, 5 after",
    ]
