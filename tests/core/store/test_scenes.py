"""The committed answers of the lab."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.ask import lab
from core.store import scenes
from tests.bench.lab import OPENING, SCENES, keep_scene

PROJECT = Path(__file__).parents[3] / "cache"


@pytest.mark.parametrize("place", range(len(SCENES)))
def test_scenes_are_committed_the_opening_one_first(place: int) -> None:
    question, found = list(scenes.examples().items())[place]
    assert question == lab.question(OPENING, *list(SCENES.values())[place])
    assert "".join(found.tokens) == OPENING
    layers, tokens = found.layers, len(found.tokens)
    shapes = {np.shape(each) for each in (found.kl, found.flipped, found.norms)}
    assert layers == 30 and shapes == {(layers, tokens)} and len(found.gain) == layers
    assert [[each is None for each in row] for row in found.drift] == np.tri(layers, k=-1, dtype=bool).tolist()
    assert {len(words) for row in (*found.perturbed, found.dense) for words in row} == {lab.WORDS}


def test_a_scene_is_kept_as_it_is_the_same_bytes_every_time(empty_cache, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(scenes.cache, "HOME", PROJECT)
        question, found = next(iter(scenes.examples().items()))
    path = keep_scene("1", question, found)
    before = path.read_bytes()
    assert scenes.examples() == {question: found}
    assert keep_scene("1", question, found).read_bytes() == before
    assert len(before) < 60_000
