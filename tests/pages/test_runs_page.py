"""Runs: what is in the cache, and what can be done with it."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core import jobs
from core.pack import pack
from core.profiles import load
from core.records import Status
from core.store import Store
from tests import fake_experiment as fake
from tests import synthetic
from tests.pages.test_shell import shell


@pytest.fixture
def store(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(jobs, "ensure_worker", lambda *_: None)
    return Store(empty_cache)


def opened() -> AppTest:
    return shell().run().switch_page("runs.py").run()


def buttons(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def test_an_empty_cache_says_what_to_do(store: Store) -> None:
    app = opened()
    assert "press Run on the Measure page" in app.info[0].value
    assert not app.dataframe and not app.exception


def test_the_table_holds_every_profile(filled_cache: dict[str, str]) -> None:
    app = opened()
    table = app.dataframe[0].value
    assert set(table["key"]) == set(filled_cache.values())
    assert set(table["tokens"]) == {"16 × 64", "8 × 64"}
    assert set(table["seconds"]) == {1.5}


def test_open_leads_to_the_picked_profile(filled_cache: dict[str, str]) -> None:
    app = opened()
    app.selectbox(key="picked").set_value(filled_cache["shallow"]).run()
    assert any(filled_cache["shallow"] in link.proto.query_string for link in app.get("page_link"))


def test_delete_asks_first(store: Store) -> None:
    synthetic.save_profile(store.root, synthetic.profile_spec(4, 8, "quick"), 4)
    app = opened()
    next(button for button in app.button if button.label == "Delete").click().run()
    assert list(store.entries())
    next(button for button in app.button if button.label == "Delete it").click().run()
    assert not list(store.entries())
    assert not app.exception


def test_the_committed_demo_cannot_be_deleted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    demo = store.root / "home" / "demo"
    synthetic.save_profile(demo, synthetic.profile_spec(4, 8, "quick"), 4)
    app = opened()
    assert next(button for button in app.button if button.label == "Delete").disabled
    assert app.dataframe[0].value["key"][0].endswith("(demo)")


def test_a_downloaded_profile_is_whole_elsewhere(store: Store, tmp_path_factory: pytest.TempPathFactory) -> None:
    key = synthetic.save_profile(store.root, synthetic.profile_spec(4, 8, "quick"), 4)
    elsewhere = Store(tmp_path_factory.mktemp("elsewhere"))
    zipfile.ZipFile(io.BytesIO(pack(store, store.profile(key)))).extractall(elsewhere.root)
    assert load(elsewhere, elsewhere.profile(key)).layers == 4


def test_a_corrupt_entry_is_reported(store: Store) -> None:
    key = synthetic.save_profile(store.root, synthetic.profile_spec(4, 8, "quick"), 4)
    (store.root / "profile" / key / "provenance.json").write_text("{}")
    app = opened()
    assert key in app.warning[0].value
    assert not app.exception


def test_jobs_show_their_state_and_what_can_be_done(store: Store) -> None:
    states = [
        Status(),
        Status(state="running"),
        Status(state="failed", error="ValueError: the sky fell"),
        Status(state="failed", error="the text is too short", bad_request=True),
    ]
    for seed, status in enumerate(states):
        jobs.submit(store, fake.request(seed=seed)).write(status)
    app = opened()
    said = " ".join(each.value for each in app.markdown)
    assert all(f"badge[{state}]" in said for state in ("queued", "interrupted", "failed"))
    assert [buttons(app).count(label) for label in ("Cancel", "Resume", "Forget")] == [1, 2, 3]
    assert {each.value for each in app.caption} >= {"the text is too short", "ValueError: the sky fell"}


def test_resume_and_forget(store: Store) -> None:
    job = jobs.submit(store, fake.request())
    job.write(Status(state="running"))
    app = opened()
    app.button(key=f"resume-{job.key}").click().run()
    assert jobs.job(store, job.key).state == "queued"
    app.button(key=f"cancel-{job.key}").click().run()
    app.button(key=f"forget-{job.key}").click().run()
    assert jobs.jobs(store) == []
    assert not app.exception
