"""Runs: what is in the cache, what can be done with it."""

from collections import Counter

from core.jobs import queue
from core.jobs.records import Status
from tests import fake_experiment as fake
from tests import synthetic
from tests.pages.opening import links, words
from tests.pages.runs_page import opened


def test_a_result_is_deleted(bare):
    synthetic.save_profile(bare.root, synthetic.profile_spec(4, 8, "quick"), 4)
    app = opened()
    next(button for button in app.button if button.label == "Delete it").click().run()
    assert not list(bare.entries())


def test_a_corrupt_entry_is_reported(bare):
    key = synthetic.save_profile(bare.root, synthetic.profile_spec(4, 8, "quick"), 4)
    (bare.root / "profile" / f"{key}.safetensors").write_text("{}")
    app = opened()
    assert key in app.warning[0].value


def test_jobs_show_their_state_and_what_can_be_done(bare):
    states = [
        Status(),
        Status(state="running"),
        Status(state="failed", error="ValueError: the sky fell"),
        Status(state="failed", error="the text is too short", bad_request=True),
    ]
    for seed, status in enumerate(states):
        queue.submit(bare, fake.request(seed=seed)).write(status)
    app = opened()
    said = words(app.markdown)
    assert all(f"badge[{state}]" in said for state in ("queued", "interrupted", "failed"))
    assert Counter(each.label for each in app.button).items() >= {("Cancel", 1), ("Resume", 2), ("Forget", 3)}
    assert {each.value for each in app.caption} >= {"The text is too short.", "ValueError: the sky fell."}


def test_a_run_whose_profile_was_deleted_says_so_in_place_of_a_link(bare):
    """The link would open another model without a word."""
    key = synthetic.save_profile(bare.root, synthetic.profile_spec(4, 8, "quick"), 4)
    queue.submit(bare, fake.request()).write(Status(state="done", result=key))
    assert links(opened()).count({"profile": key}) == 3, "by its card, by its actions and by its run"
    (bare.root / "profile" / f"{key}.safetensors").unlink()
    app = opened()
    assert "Its result was deleted." in [each.value for each in app.caption]
    assert {"profile": key} not in links(app)


def test_resume_and_forget(bare):
    job = queue.submit(bare, fake.request())
    job.write(Status(state="running"))
    app = opened()
    app.button(key=f"resume-{job.key}").click().run()
    assert queue.job(bare, job.key).state == "queued"
    app.button(key=f"cancel-{job.key}").click().run()
    app.button(key=f"forget-{job.key}").click().run()
    assert queue.jobs(bare) == []
