"""Errors of libraries become sentences, ours do not; a tokenizer is tried before it is read."""

from __future__ import annotations

import json

import pytest

from core.models import foreign_code
from core.models.foreign_code import explained
from tests import tiny


def test_only_what_a_library_raises_is_said_in_a_sentence(refused) -> None:
    with refused("the file cannot be read", "Expecting value"), explained("the file cannot be read"):
        json.loads("nothing")
    for wrong, error in (
        (lambda: foreign_code._trouble(1, 2), TypeError),
        (lambda: json.loads("1", parse_int=stopped), KeyboardInterrupt),
        (lambda: json.loads("1", parse_int=full), MemoryError),
    ):
        with pytest.raises(error), explained("the file cannot be read"):
            wrong()


def stopped(_: str) -> None:
    raise KeyboardInterrupt


def full(_: str) -> None:
    raise MemoryError


@pytest.mark.parametrize(("bound", "most"), [("MANY", 0), ("GROWTH", 0)])
def test_a_tokenizer_is_tried(bound: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny.folder("llama") / "tokenizer.json"
    assert foreign_code._trouble(str(path), "Rain and sun.") is None
    monkeypatch.setattr(foreign_code, bound, most)
    assert " become " in (said := foreign_code._trouble(str(path), "Rain and sun.")) or " added " in said
