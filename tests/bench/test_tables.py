"""The README quotes what the committed studies say."""

from __future__ import annotations

import pytest

from tests.bench import tables


def test_the_readme_has_the_tables_that_the_committed_studies_make() -> None:
    readme = tables.README.read_text(encoding="utf-8")
    assert tables.written(readme, tables.tables(tables.committed())) == readme, "run python -m tests.bench.tables"


def test_a_table_without_a_place_is_an_error() -> None:
    with pytest.raises(ValueError, match="0 places for the table 'nowhere'"):
        tables.written("# README\n", {"nowhere": "| |\n"})
