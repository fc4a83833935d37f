"""Addresses: any page with any choices in its URL, sound, odd or of another page, is drawn."""

import pytest
from huggingface_hub import constants
from hypothesis import given
from hypothesis import strategies as st

from core.jobs import Status, queue
from core.lab import scheduler
from core.store import Store
from tests import fake_experiment as fake
from tests import synthetic
from tests.fake_warm import Warm
from tests.fuzz.judging import bounded, fuzz
from tests.fuzz.values import odd
from tests.pages.opening import PAGES, opened_at
from tests.pages.test_strangers import VIEWS

SOUND = (
    "gaussian:0.3", "skip", "residual:wanda:0.7", "all", "owl m=5 lam=0.08", "uniform:0.7", "0.5", "0.04", "3", "0,1,2",
    "reversed", "results", "export", "best", "evaluate", "profiles", "evaluations", "amplify", "prune", "on",
    "demo", "file:text.txt", "0-5", "correction", "all,estimate", "2:4", "kl", "cpu", "quick", "wanda",
)  # fmt: skip


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """A cache with a profile, a study and runs in every state, and what they are called."""
    store = Store(tmp_path_factory.mktemp("cache"))
    spec = synthetic.profile_spec(4, 8, "quick", prunable=True)
    found = [synthetic.save_profile(store.root, spec)]
    asked = fake.request(seed=0)
    for seed, state in enumerate(("queued", "running", "done", "failed", "cancelled")):
        asked = fake.request(seed=seed)
        queue.submit(store, asked).write(Status(state=state, error="no room", result=found[0]))
        found.append(asked.key)
    return store.root, found


@pytest.fixture
def alone(keys, empty_cache, monkeypatch):
    """Nobody is called, and no worker starts; returns what a URL can say, and the keys of what is stored."""
    played = Warm()
    for name in ("state", "count_ahead", "wake", "ask"):
        monkeypatch.setattr(scheduler, name, getattr(played, name))
    monkeypatch.setattr(queue, "ensure_worker", lambda *_: None)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("ABSORPTION_CACHE", str(keys[0]))
    tabs = [opened_at(page, **view) for page, view in VIEWS]
    names = {"job", "allocation", *(key for tab in tabs for key in tab.session_state["view"].remembered)}
    return sorted(names), keys[1]


@fuzz
@given(st.data())
def test_an_address(alone, data):
    names, keys = alone
    any_text = odd.map(lambda value: str(value).encode(errors="replace").decode())  # a URL holds no half of a sign
    value = st.sampled_from([*SOUND, *keys, *(key[:6] for key in keys)]) | any_text
    view = data.draw(st.dictionaries(st.sampled_from(names), value, max_size=6))
    page = data.draw(st.sampled_from(PAGES))
    with bounded():
        app = opened_at(page, **view)
    assert not app.exception, (page, view, app.exception)
    assert app.title or page in ("lab", "learn"), "something is drawn"
