"""A button that is refused what it is pressed for."""

from core.jobs import processes, queue
from core.jobs.records import Status
from tests import fake_experiment as fake
from tests.pages.opening import opened_at


def test_a_refusal_stands_on_the_page_until_something_else_is_done(bare):
    job = queue.submit(bare, fake.request())
    job.write(Status(state="failed", error="no model", bad_request=True))
    app = opened_at("runs")
    with processes.take(job.lock):
        app.button(key=f"forget-{job.key}").click().run()
    assert len(app.error) == 1
    assert queue.jobs(bare) == [queue.job(bare, job.key)]
    app.run()
    assert not app.error
