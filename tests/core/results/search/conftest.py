"""What the tests of the search share."""

import json

import pytest

from core.requests import measurements
from core.results import search_plan
from tests import tiny
from tests.core.results.search.asking import DOCUMENTS, SMALL


@pytest.fixture
def few(monkeypatch):
    """Few candidates, and a profile of two sparsities."""
    monkeypatch.setattr(search_plan, "BASES", SMALL)
    monkeypatch.setattr(search_plan, "SPARSITIES", (0.3, 0.7))
    monkeypatch.setattr(measurements, "SAMPLES", 4)


@pytest.fixture
def text(tmp_path):
    """A text of 60 documents, each of its own."""
    path = tmp_path / "text.jsonl"
    rows = [f"{index} {tiny.SENTENCES[index % 5]} {tiny.SENTENCES[index % 3]}" for index in range(DOCUMENTS)]
    path.write_text("\n".join(json.dumps({"text": row}) for row in rows), encoding="utf-8")
    return f"file:{path}"
