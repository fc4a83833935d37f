"""The queue as files: nothing is executed here."""

import json
import os
import subprocess
import sys
import time

import pytest

from core.jobs import Recorder, Status, processes, queue
from core.models import Progress
from core.store import Store
from tests import fake_experiment as fake


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def test_the_same_request_twice_is_one_job(store):
    first = queue.submit(store, fake.request())
    again = queue.submit(store, fake.request())
    assert first.key == again.key == fake.request().key
    assert [job.submitted for job in queue.jobs(store)] == [first.submitted]
    assert again.state == "queued"


@pytest.mark.parametrize("ended", ["done", "failed", "cancelled", "interrupted"])
def test_what_ended_is_queued_again(store, ended):
    job = queue.submit(store, fake.request())
    job.write(Status(state="running" if ended == "interrupted" else ended, result="x"))
    assert queue.job(store, job.key).state == ended
    assert queue.submit(store, job.request).state == "queued"
    assert queue.job(store, job.key).status.result is None


def test_what_waits_is_cancelled_at_once_and_delete_forgets_it(store, refused):
    job = queue.submit(store, fake.request())
    queue.cancel(job)
    assert queue.job(store, job.key).state == "cancelled"
    queue.delete(queue.job(store, job.key))
    assert queue.jobs(store) == []
    for key in (job.key, "", "../../etc", "0123456789abcdef"):
        with refused(repr(key)):
            queue.job(store, key)


@pytest.mark.parametrize(
    "content",
    ['{"request": {"model": 1}}', "[" * 100_000, '{"is": "MeasureRequest", "submitted": ' + "1" * 5000 + "}", "[]"],
    ids=["another version", "deep", "digits", "list"],
)
def test_folders_that_this_version_cannot_read_are_passed_over(content, store):
    job = queue.submit(store, fake.request())
    (store.root / "jobs" / "strange").mkdir()
    (store.root / "jobs" / "strange" / "request.json").write_text(content)
    assert [each.key for each in queue.jobs(store)] == [job.key]


def test_enforce_spares_strangers_and_itself(store):
    job = queue.submit(store, fake.request())
    mine = processes.identity()
    with processes.take(job.lock):
        for status in (Status(state="running", **mine), Status(state="running", pid=os.getppid(), born=1.0)):
            job.write(status)
            queue.cancel(queue.job(store, job.key))
            assert not queue.end_if_stuck(queue.job(store, job.key), grace=0)


def test_a_started_worker_counts_until_it_holds_its_lock(store, monkeypatch):
    started = []
    sleeping = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    monkeypatch.setattr(processes, "detach", lambda *asked: started.append(asked) or sleeping)
    queue.ensure_worker(store, "cpu")
    queue.ensure_worker(store, "cpu")
    assert len(started) == 1
    assert started[0][0][1:4] == ["-m", "core", "work"]
    sleeping.communicate(b"\n")
    assert not queue.worker_alive(store, "cpu")
    with processes.take(queue.lock_of(store, "worker", "cpu")):
        assert queue.worker_alive(store, "cpu")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status(), "Queued, waiting"),
        (Status(state="running", line="loading a"), "Loading a"),
        (Status(state="running", line="layer 3", done=3, total=4), "75 %, time left not known yet · layer 3"),
        (Status(state="running", line="x", done=1, total=9, rate=310.0, seconds_left=95, memory=2**30),
         "11 %, about 95 s left · x · 1.0 GiB of memory"),
        (Status(state="running", line="more", done=1, total=9, least=0.5), "50 %, time left not known yet · more"),
    ],
)  # fmt: skip
def test_a_status_in_words(status, words):
    assert status.words == words


def test_a_status_of_an_older_version_is_read(store):
    job = queue.submit(store, fake.request())
    old = {"state": "failed", "line": "layer 3", "done": 1, "total": 2, "error": "no", "unknown": 1}
    (job.folder / "progress.json").write_text(json.dumps(old))
    assert queue.job(store, job.key).status == Status(state="failed", line="layer 3", done=1, total=2, error="no")


def test_the_time_left_is_told_by_the_pace_of_what_was_done(store, monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    told = Recorder(queue.submit(store, fake.request()), lambda _: None)

    def after(done, total=1000):
        told(Progress("measuring", done, total))
        return told.status

    assert after(0).seconds_left is None
    begun = after(20)
    assert begun.rate * begun.seconds_left == pytest.approx(980, rel=0.01)
    share = after(40).fraction
    more = after(41, total=2000)
    assert more.seconds_left is None and more.fraction == share, "another total is another run, and nothing is lost"


def test_a_clock_that_is_set_back_makes_no_time_negative(store, monkeypatch):
    job = queue.submit(store, fake.request())
    told = Recorder(job, lambda _: None)
    monkeypatch.setattr(time, "time", lambda: 1.0)
    told(Progress("measuring", 1, 1))
    told.end(state="done")
    status = queue.job(store, job.key).status
    assert status.updated >= status.started > 1.0
