"""How what an error says becomes a sentence that a page shows."""

import pytest

from core.base import duration, sentence


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("the model is empty", "The model is empty."),
        ("there is no device 'gpu': choose cpu", "There is no device 'gpu': choose cpu."),
        ("Name a folder.", "Name a folder."),
        ("is it there?", "Is it there?"),
    ],
)
def test_a_sentence_begins_with_a_capital_and_ends_once(said, shown):
    assert sentence(said) == shown == sentence(shown)


@pytest.mark.parametrize("name", ["gaussian:0.3", "notes.txt", "./pruned", "c4_en", "bfloat16"])
def test_a_name_is_written_as_it_is_also_where_it_begins_a_sentence(name):
    assert sentence(f"{name} was not measured") == f"{name} was not measured."


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "0 s"), (119.4, "119 s"), (119.6, "2 min"), (3600, "60 min"), (9000, "2.5 h"),
    ],
)  # fmt: skip
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words
