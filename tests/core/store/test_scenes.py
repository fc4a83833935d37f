"""The committed answers of the lab."""

import numpy as np
import pytest

from core.store import scenes
from tests.bench.lab import questions, sizes


def test_the_examples_are_committed_the_opening_one_first_and_nothing_else():
    assert list(scenes.examples()) == questions()
    assert scenes.rows().keys() == set(sizes())
    assert sum(path.stat().st_size for path in scenes.folder().glob("*.gz")) < 400_000


def test_the_opening_scene_turns_a_dog_into_a_fish():
    hurt, spared = (scenes.examples()[each].row(16) for each in questions()[:2])
    assert (hurt.dense[-1][0], hurt.perturbed[-1][0]) == ((" dog", 0.8943), (" fish", 0.4343))
    assert hurt.gain == 3.573 and spared.gain < hurt.gain / 2, "the first token makes most of it"


@pytest.mark.parametrize("question", questions())
def test_a_scene_is_whole(question):
    found = scenes.examples()[question]
    assert "".join(found.tokens) == question.sentence
    assert {np.shape(each) for each in (found.kl, found.flipped, found.norms)} == {(30, len(found.tokens))}
    assert [[each is None for each in row] for row in found.drift] == np.tri(30, k=-1, dtype=bool).tolist()
