"""Names and docstrings say what a thing is."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NAMES = {
    *["found", "asked", "told", "said", "given", "known", "kept", "counted", "held", "shown"]
}  # a thing is not named by who met it
OPENERS = {*["What", "Whether", "How", "Where", "Which", "Why", "As", "Of", "By", "Those", "That"]}
COMPREHENSIONS = ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp
DOCUMENTED = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef


def banned_names(tree):
    """Parameters and assigned names outside comprehensions."""
    inside = {part for node in ast.walk(tree) if isinstance(node, COMPREHENSIONS) for part in ast.walk(node)}
    parameters = [node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)]
    stored = [
        node.id for node in {*ast.walk(tree)} - inside if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]
    return [name for name in (*parameters, *stored) if name in NAMES]


def bad_openings(tree):
    texts = (ast.get_docstring(node) or "-" for node in ast.walk(tree) if isinstance(node, DOCUMENTED))
    return [text.splitlines()[0] for text in texts if text.split()[0] in OPENERS]


@pytest.fixture(scope="module")
def trees():
    paths = sorted(path for room in ("core", "pages") for path in (ROOT / room).rglob("*.py"))
    return {path.relative_to(ROOT): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def test_few_names_say_that_somebody_looked_asked_or_was_told(trees):
    names = {str(path): names for path, tree in trees.items() if (names := banned_names(tree))}
    assert sum(map(len, names.values())) <= 60, names


def test_docstrings_open_with_a_noun_or_a_verb(trees):
    assert {str(path): texts for path, tree in trees.items() if (texts := bad_openings(tree))} == {}


def test_the_guards_bite():
    tree = ast.parse('"""What it is."""\ndef f(found):\n    """Return it."""\n    told = [x for held in found]\n')
    assert (banned_names(tree), bad_openings(tree)) == (["found", "told"], ["What it is."])
