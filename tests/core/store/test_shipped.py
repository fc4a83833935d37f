"""What ships with the project: nothing in it is the business of the machine that measured it."""

from __future__ import annotations

import re

from core.store.cache import HOME

PLACE = re.compile(r'"(?:\w+:)?(?:/|~|[A-Za-z]:\\)[^"]*"')  # a text that is a path from the root, or a source by one


def test_no_result_names_a_place_of_the_machine_that_measured_it() -> None:
    files = [path for kind in ("*.json", "*.toml") for path in (HOME / "demo").rglob(kind)]
    named = {str(path): found for path in files if (found := PLACE.findall(path.read_text(encoding="utf-8")))}
    assert len(files) > 100 and not named
    assert PLACE.search('"source": "file:/home/somebody/c4.jsonl"') and PLACE.search('{"at": "C:\\\\data"}')
    assert not PLACE.search('"source": "file:data/c4.jsonl"')
