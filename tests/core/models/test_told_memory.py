"""What is told of a run's memory before it is what the run holds, within a factor of two."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import costs


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return costs.middle(tmp_path_factory.mktemp("models") / costs.MIDDLE)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["quick sweep", "long windows", "prune by Wanda"])
def test_the_memory_told_is_right_within_a_factor_of_two(name: str, model: str, tmp_path: Path) -> None:
    assert 0.5 < costs.run(name, model, tmp_path).memory_ratio < 2
