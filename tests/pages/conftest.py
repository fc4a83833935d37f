"""What the tests of pages share."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.jobs import queue, warm
from core.models import cost
from core.search import plan
from core.store.cache import Store
from tests import synthetic
from tests.fake_warm import Warm
from tests.pages.prune_page import EXPECTED, LAYERS, PROFILE


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch) -> Warm:
    """The warm model, played by the test: no page loads the real one."""
    fake = Warm()
    for name in ("state", "ahead", "wake", "row", "scene", "generate"):
        monkeypatch.setattr(warm, name, getattr(fake, name))
    return fake


@pytest.fixture
def store(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A cache with one profile that can be pruned; the cost is invented and no worker starts."""
    monkeypatch.setattr(cost, "of_study", lambda *_: EXPECTED)
    monkeypatch.setattr(plan, "estimate", lambda *_: EXPECTED)
    monkeypatch.setattr(queue, "ensure_worker", lambda *_: None)
    synthetic.save_profile(empty_cache, PROFILE, LAYERS, "deep model")
    return Store(empty_cache)
