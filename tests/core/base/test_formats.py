"""How what an error says becomes a sentence that a page shows."""

import ast
import re
from pathlib import Path

import pytest

from core.base.formats import duration, sentence

ROOT = Path(__file__).resolve().parents[3]


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


def raised():
    """Every sentence that is raised: what it begins with, and the whole with `model` for each of its values."""
    for path in (path for folder in ("core", "pages") for path in (ROOT / folder).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for call in (node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise)):
            if isinstance(call, ast.Call) and call.args and isinstance(call.args[0], (ast.JoinedStr, ast.Constant)):
                parts = getattr(call.args[0], "values", call.args)
                texts = (str(part.value) if isinstance(part, ast.Constant) else "model" for part in parts)
                yield parts[0], "".join(texts)


def test_a_sentence_begins_with_a_capital_unless_a_name_begins_it():
    """Of all that are raised: a folder may be called as a word is."""
    said = list(raised())
    named = [text for first, text in said if re.search(r"(?<!parent)[.]name}|label}", ast.unparse(first))]
    own = [text for first, text in said if isinstance(first, ast.Constant) and re.match(r"[a-z]+ ", text)]
    assert len(named) > 30 and len(own) > 150
    assert [text for text in named if not sentence(text).startswith("model")] == []
    assert [text for text in own if not sentence(text)[0].isupper()] == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "0 s"), (119.4, "119 s"), (119.6, "2 min"), (3600, "60 min"), (9000, "2.5 h"),
    ],
)  # fmt: skip
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words
