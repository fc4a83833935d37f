"""No code asks whether a pruner is this one or that one: its row says what follows."""

import ast
from pathlib import Path

from core.methods import PRUNERS

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(path for folder in ("core", "pages") for path in (ROOT / folder).rglob("*.py"))


def compared(source):
    """Texts that something is compared with, or matched against."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare | ast.MatchValue):
            found |= {each.value for each in ast.walk(node) if isinstance(each, ast.Constant)}
    return found


def test_no_pruner_is_known_by_name():
    found = {str(path): compared(path.read_text(encoding="utf-8")) & set(PRUNERS) for path in FILES}
    assert not {path: names for path, names in found.items() if names}
