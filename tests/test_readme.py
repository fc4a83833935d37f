"""The README's tables of what there is of each kind are those that the program reads."""

from __future__ import annotations

import pytest

from tests.bench import kinds


def test_the_tables_are_up_to_date() -> None:
    text = kinds.README.read_text(encoding="utf-8")
    assert kinds.written(text) == text, "write them anew with python -m tests.bench.kinds"


def test_a_text_without_a_place_for_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for perturbations"):
        kinds.written("no marks")
