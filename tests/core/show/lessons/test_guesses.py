"""Guesses of the tour: the right answer is the measured one."""

import numpy as np
import pytest

from core.show.lessons import guesses
from core.show.lessons.shared import Lesson


@pytest.mark.parametrize(("less", "right"), [(0.05, 0), (0.1, 1), (0.3, 2)])
def test_half_the_damage_or_less_is_compared_with_its_share(less, right):
    values = np.array([[less], [0.3]])
    guess = guesses.in_proportion("{} {} {}", Lesson((), 1, [0.1, 0.3], values), str, str)
    assert guess.right == right and guess.question == "0.3 0.3 0.1"
    assert guess.verdict(right) == f"**Right.** It is {less}."
    assert "otherwise" in guess.verdict(right - 1)
    assert guesses.in_proportion("{} {} {}", Lesson((), 1, [0.2, 0.3], values), str, str) is None


@pytest.mark.parametrize(("ends", "right"), [((0.5, 1.2, 1.1), 0), ((0.5, 0.5, 1.2), 1), ((0.5, 0.5, 0.5), 2)])
def test_layers_whose_drift_shrinks_are_counted_without_the_last(ends, right):
    remaining = np.column_stack([np.ones(4), [*ends, 1]])
    assert guesses.shrinking(remaining).right == right


def test_length_and_reverse_are_on_the_measured_side():
    assert guesses.length(np.array([2.0, 2.0, 1.0]), np.array([4.0, 4.0, 1.0])).right == 2
    assert [guesses.reverse(np.array([cost, 100.0, 200.0])).right for cost in (80.0, 101.0, 120.0)] == [0, 1, 2]
