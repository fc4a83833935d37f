"""What the tests of pages share."""

import shutil

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.jobs import cost, queue
from core.lab import scheduler
from core.methods import AlphaPruning, Dlp, Owl, Response
from core.requests import AllocationRequest, Recipe
from core.store import Store
from tests import synthetic
from tests.fake_warm import Warm
from tests.pages.prune_page import EXPECTED, PROFILE, save


@pytest.fixture(autouse=True)
def _no_traceback(monkeypatch):
    """Whatever a test does, no run of a page ends in an exception."""
    run = AppTest._run

    def checked(app, *args, **how):
        run(app, *args, **how)
        assert not app.exception
        return app

    monkeypatch.setattr(AppTest, "_run", checked)


@pytest.fixture(autouse=True)
def model(monkeypatch):
    """The warm model, played by the test: no page loads the real one."""
    fake = Warm()
    for name in ("state", "count_ahead", "wake", "ask"):
        monkeypatch.setattr(scheduler, name, getattr(fake, name))
    return fake


@pytest.fixture
def committed(tmp_path, monkeypatch):
    """An empty cache with the committed demo behind it."""
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path))


@pytest.fixture
def bare(empty_cache, monkeypatch):
    """An empty cache, where no worker starts; pages remember results by paths, which tests that pass leave free."""
    st.cache_resource.clear()
    monkeypatch.setattr(queue, "ensure_worker", lambda *_: None)
    return Store(empty_cache)


@pytest.fixture(scope="session")
def one_profile(tmp_path_factory):
    """A cache with one profile that can be pruned, to be copied: that is faster than to make it."""
    root = tmp_path_factory.mktemp("one")
    synthetic.save_profile(root, PROFILE, "deep model")
    return root


@pytest.fixture
def store(bare, one_profile, monkeypatch):
    """A cache with one profile that can be pruned; the cost is invented and no worker starts."""
    monkeypatch.setattr(cost, "estimate", lambda *_: EXPECTED)
    shutil.copytree(one_profile, bare.root, dirs_exist_ok=True)
    return bare


@pytest.fixture
def studied(store):
    """The profile's model was evaluated at two targets, at one of them with too few allocations; returns its key."""
    bases = [(Owl(), 0.5), *((base, 0.7) for base in (Owl(), Dlp(), AlphaPruning(), Response()))]
    asked = [Recipe(allocation=AllocationRequest(base=base, target=target)) for base, target in bases]
    save(store, asked, allocated=True)
    return PROFILE.key


@pytest.fixture(scope="session")
def prunables(tmp_path_factory):
    """A cache of profiles that can be pruned, and their keys: a standard `deep` one and its untrained `twin` on the
    same text, a quick `shallow` one that lacks much, and one that measured each `linear` alone."""
    root = tmp_path_factory.mktemp("prunables")
    trained = synthetic.profile_spec(seed=7, prunable=True)  # keys of its own: pages remember profiles by key
    twin = trained.replace(model=trained.model.replace(initialised=0))
    quick = synthetic.profile_spec(4, 8, "quick", seed=7, prunable=True)
    keys = {
        "linear": synthetic.save_profile(root, synthetic.linears_spec(6), "each linear alone"),
        "twin": synthetic.save_profile(root, twin, "random: deep"),
        "shallow": synthetic.save_profile(root, quick, "shallow"),
        "deep": synthetic.save_profile(root, trained, "deep"),
    }
    return root, keys


@pytest.fixture
def cache(prunables, empty_cache, monkeypatch):
    """The environment points at these profiles; returns their keys."""
    monkeypatch.setenv("ABSORPTION_CACHE", str(prunables[0]))
    return prunables[1]
