"""What ships with the project: its largest text is the demo; no place of the machine that measured is named."""

from __future__ import annotations

import re

from core.store.cache import HOME, Entry, Store

PLACE = re.compile(r'"(?:\w+:)?(?:/|~|[A-Za-z]:\\)[^"]*"')  # a text that is a path from the root, or a source by one


def test_no_result_names_a_place_of_the_machine_that_measured_it() -> None:
    files = [path for kind in ("*.json", "*.toml") for path in (HOME / "demo").rglob(kind)]
    named = {str(path): found for path in files if (found := PLACE.findall(path.read_text(encoding="utf-8")))}
    assert len(files) > 100 and not named
    assert PLACE.search('"source": "file:/home/somebody/c4.jsonl"') and PLACE.search('{"at": "C:\\\\data"}')
    assert not PLACE.search('"source": "file:data/c4.jsonl"')


def test_the_demo_is_the_profile_on_most_text_whatever_has_more_perturbations() -> None:
    demo, *others = sorted((each for each in Store().entries("profile") if each.committed), key=tokens, reverse=True)
    assert Store().demo() == Store().profile("demo") == demo
    assert tokens(demo) > tokens(others[0])
    assert len(demo.spec.measurements) < max(len(each.spec.measurements) for each in others)


def tokens(entry: Entry) -> int:
    return entry.spec.text.sequences * entry.spec.text.length
