"""A button that is refused what it is pressed for."""

from __future__ import annotations

import pytest

from core.jobs import processes, queue
from core.jobs.status import Status
from core.store.cache import Store
from pages.ui.tour import measured_again
from tests import fake_experiment as fake
from tests.pages.opening import opened_at


@pytest.mark.parametrize(("page", "key", "again"), [("runs", "forget-{}", False), ("learn", "again", True)])
def test_a_refusal_stands_on_the_page_until_something_else_is_done(
    bare: Store, page: str, key: str, again: bool
) -> None:
    store, request = (measured_again.place(), measured_again.REQUEST) if again else (bare, fake.request())
    fake.get(measured_again.REQUEST, bare)  # a profile to show
    job = queue.submit(store, request)
    job.write(Status(state="failed", error="no model", bad_request=True))
    app = opened_at(page)
    with processes.take(job.lock):
        app.button(key=key.format(job.key)).click().run()
    assert len(app.error) == 1
    assert not app.exception and queue.jobs(store) == [queue.job(store, job.key)]
    app.run()
    assert not app.error
