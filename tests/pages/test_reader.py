"""Who reads a shared server, and what a button says that may not do what it is pressed for."""

from __future__ import annotations

import pytest

from core.jobs import queue
from core.jobs.records import Status
from core.store import access
from core.store.cache import Store
from pages.ui.tour import measured_again
from tests import fake_experiment as fake
from tests.pages.opening import PAGES, opened_at


@pytest.mark.parametrize(("page", "key", "again"), [("runs", "forget-{}", False), ("learn", "again", True)])
def test_a_refusal_stands_on_the_page_until_something_else_is_done(
    bare: Store, monkeypatch: pytest.MonkeyPatch, page: str, key: str, again: bool
) -> None:
    store, request = (measured_again.place(), measured_again.REQUEST) if again else (bare, fake.request())
    fake.get(measured_again.REQUEST, bare)  # a profile to show
    job = queue.submit(store, request, reader="ann")
    job.write(Status(state="failed", error="no model", bad_request=True))
    monkeypatch.setenv(access.SHARED, "on")
    app = opened_at(page)
    app.button(key=key.format(job.key)).click().run()
    assert len(app.error) == 1
    assert not app.exception and queue.jobs(store) == [queue.job(store, job.key)]
    app.run()
    assert not app.error


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_shown_to_whoever_has_not_logged_in(
    page: str, filled_cache: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(access.LOGIN, "on")
    app = opened_at(page, profile=filled_cache["deep"])
    assert [each.value for each in app.title] == ["Log in to use this server"]
    assert [each.label for each in app.button] == ["Log in"]
    assert {each.type for each in app} == {"root", "main", "sidebar", "event", "title", "button", "html"}
