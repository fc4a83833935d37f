"""An empty cache, and an invented profile of a small model."""

import pytest

from core.store import profiles
from core.store.cache import Store
from tests import synthetic

LAYERS = 8


@pytest.fixture
def store(tmp_path):
    """An empty cache."""
    return Store(tmp_path)


def saved(store, spec, model="invented model"):
    """A whole invented profile, stored and read."""
    return profiles.load(store, store.profile(synthetic.save_profile(store.root, spec, LAYERS, model)))


@pytest.fixture(scope="module")
def standard(tmp_path_factory):
    """Everything the tour can show, of a model that can be pruned; not to be changed."""
    return saved(Store(tmp_path_factory.mktemp("standard")), synthetic.profile_spec(LAYERS, 8, prunable=True))
