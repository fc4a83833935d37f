"""A guess for each chapter: a question with three answers, the one that was measured, and the numbers that say so."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from core.base import times
from core.show.lessons.shared import Lesson
from core.store import Array

BAND = 1.25  # factor within which two numbers count as alike


class Guess(NamedTuple):
    """A question, its answers in ascending order, and what was measured."""

    question: str
    answers: tuple[str, ...]
    right: int
    measured: str

    def verdict(self, chosen: int) -> str:
        """Sentences on an answer."""
        return f"{'**Right.**' if chosen == self.right else '**Measured otherwise.**'} {self.measured}"


def _side(ratio: float, band: float = BAND) -> int:
    """0 below, 1 within and 2 above a band around 1."""
    return int(ratio > 1 / band) + int(ratio > band)


def in_proportion(question: str, lesson: Lesson, amount: Callable, value: Callable) -> Guess | None:
    """A guess on half the damage or less; None where no such was measured.

    Args:
        question: with slots for the usual amount, what it does, and the smaller amount.
        amount, value: writers of its strengths and values.
    """
    amounts, values, at = lesson.strengths, lesson.values, lesson.at
    smaller = [n for n, each in enumerate(amounts) if each <= amounts[at] / 2]
    if not smaller:
        return None
    less, usual = (float(np.median(values[n])) for n in (smaller[-1], at))
    share = amounts[smaller[-1]] / amounts[at]
    alike = value(usual * share)
    return Guess(
        question.format(amount(amounts[at]), value(usual), amount(amounts[smaller[-1]])),
        (f"clearly less than {alike}", f"about {alike}, in proportion", f"clearly more than {alike}"),
        _side(less / (usual * share)),
        f"It is {value(less)}.",
    )


def shrinking(remaining: Array) -> Guess:
    """A guess on how often drift shrinks.

    Args:
        remaining: (injection, read) drift as a multiple of where it starts.
    """
    ends = remaining[:-1, -1]
    shrinks, layers = int((ends < 1).sum()), len(ends)
    return Guess(
        f"Noise enters after one of the {layers} layers before the last. For how many of them does the drift shrink?",
        ("fewer than half", "more than half, not all", "all of them"),
        int(2 * shrinks > layers) + int(shrinks == layers),
        f"It shrinks for {shrinks} of {layers}.",
    )


def first_token(change: float) -> Guess:
    """A guess on noise that enters on the first token too.

    Args:
        change: factor by which that changes the gain of the median layer.
    """
    return Guess(
        "Here the noise spared the first token of every sequence. Now add it on that one token too. What happens to "
        "the gain of a typical layer?",
        ("it falls", "it hardly changes", "it rises"),
        _side(change, 1.2),
        f"With noise on the first token too, the median layer has {times(change)} the gain it had.",
    )


def length(grown: Array, around: Array) -> Guess:
    """A guess on the length of the damage.

    Args:
        grown, around: (layers,) growth of damage and stream from the layer to the last.
    """
    typical, stream = (float(np.median(each[:-1])) for each in (grown, around))
    return Guess(
        "Drift falls. Does the damage itself become shorter on its way to the last layer?",
        ("it becomes shorter", "it keeps its length", "it becomes longer"),
        _side(typical, 1.1),
        f"From a typical layer on, the damage ends at {times(typical)} its length and the stream at {times(stream)}.",
    )


def reverse(costs: Array) -> Guess:
    """A guess on the reverse of the correction.

    Args:
        costs: (steps,) predicted perplexity, the full reverse first and no correction in the middle.
    """
    ratio = float(costs[0] / costs[len(costs) // 2])
    return Guess(
        "Now do the reverse: spare the layers that absorb. What happens to perplexity?",
        ("it falls below that of OWL alone", "it stays as it is", "it rises too"),
        _side(ratio, 1.05),
        f"It is {times(ratio)} that of OWL alone.",
    )
