"""How what an error says becomes a sentence that a page shows."""

from __future__ import annotations

import pytest

from core.base.formats import sentence


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("the model is empty", "The model is empty."),
        ("there is no device 'gpu': choose cpu", "There is no device 'gpu': choose cpu."),
        ("Name a folder.", "Name a folder."),
        ("is it there?", "Is it there?"),
    ],
)
def test_a_sentence_begins_with_a_capital_and_ends_once(said: str, shown: str) -> None:
    assert sentence(said) == shown == sentence(shown)


@pytest.mark.parametrize("name", ["gaussian:0.3", "notes.txt", "./pruned", "c4_en", "bfloat16"])
def test_a_name_is_written_as_it_is_also_where_it_begins_a_sentence(name: str) -> None:
    assert sentence(f"{name} was not measured") == f"{name} was not measured."
