"""Jobs executed by real processes with an invented experiment. No test looks at a clock."""

import errno
import subprocess
import sys
import threading
from unittest.mock import Mock

import pytest

from core.base import UserError, access
from core.jobs import processes, queue, worker
from core.models import Cancelled
from core.store import Store
from tests import fake_experiment as fake
from tests.core.lab.test_warm_model import until

PATIENCE = 20  # seconds before a test gives up; none is measured by it


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "core.jobs.execute", None)
    monkeypatch.setattr("core.jobs.execute", None, raising=False)
    fake.install()
    return Store(tmp_path)


@pytest.fixture
def start(store):
    """Start a worker process; what is left of them ends with the test."""
    started = []

    def _start(idle=0.0, device="cpu"):
        command = [sys.executable, fake.__file__, str(store.root), device, str(idle)]
        started.append(subprocess.Popen(command))
        return started[-1]

    yield _start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def held(store, start):
    """Submit a request whose worker stays after its first part."""

    def _held(idle=0.0):
        (store.root / "hold").touch()
        job = queue.submit(store, fake.request())
        process = start(idle)
        until(lambda: now(store, job).status.parts == 1)
        return job, process

    return _held


def now(store, job):
    return queue.job(store, job.key)


def measured(store):
    log = store.root / "measured.txt"
    return log.read_text().splitlines() if log.exists() else []


def test_a_refused_request_keeps_its_sentence(store):
    (store.root / "refuse").write_text("there is no such model")
    job = queue.submit(store, fake.request())
    with pytest.raises(UserError, match="no such model"):
        worker.run(store, job, {})
    ended = now(store, job)
    assert (ended.state, ended.status.error, ended.status.bad_request) == ("failed", "there is no such model", True)
    with pytest.raises(UserError, match="no such model"):
        worker.run(store, ended, {})


def test_a_failure_leaves_its_traceback_in_the_log(store):
    (store.root / "break").write_text("the sky fell")
    job = queue.submit(store, fake.request())
    with pytest.raises(ValueError, match="sky"):
        worker.run(store, job, {})
    ended = now(store, job)
    assert (ended.state, ended.status.error) == ("failed", "ValueError: the sky fell")
    assert "Traceback" in ended.log
    with (job.folder / "log.txt").open("r+b") as file:
        file.write(b"an older note\n" * 10**6)  # more than a page can draw
        file.write("\nthe latest note: é".encode())
    assert ended.log.endswith("\nthe latest note: é") and len(ended.log) == 2**20 - 1
    with pytest.raises(worker.Failed):
        worker.run(store, ended, {})


def test_a_worker_survives_failures_and_serves_the_oldest_first(store, start):
    (store.root / "break").write_text("the sky fell")
    first = queue.submit(store, fake.request(seed=1))
    process = start(idle=PATIENCE)
    until(lambda: now(store, first).state == "failed")
    (store.root / "break").unlink()
    later = [queue.submit(store, fake.request(seed=seed)) for seed in (2, 3)]
    until(lambda: all(now(store, job).state == "done" for job in later))
    assert process.poll() is None
    assert now(store, later[0]).status.updated <= now(store, later[1]).status.updated
    assert {now(store, job).status.pid for job in (first, *later)} == {now(store, first).status.pid}


def test_a_second_worker_leaves_at_once(store, start):
    with processes.take(queue.lock_of(store, "worker", "cpu")):
        assert start(idle=PATIENCE).wait(PATIENCE) == 0


def test_a_killed_run_is_interrupted_and_a_follower_goes_on_from_its_parts(store, held):
    job, process = held()
    assert now(store, job).state == queue.submit(store, fake.request()).state == "running"
    entries = []
    follower = threading.Thread(target=lambda: entries.append(worker.run(store, job, {})))
    process.kill()
    process.wait()
    assert now(store, job).state == "interrupted"
    follower.start()
    (store.root / "hold").unlink()
    follower.join(PATIENCE)
    assert entries and now(store, job).state == "done"
    assert len(measured(store)) == len(set(measured(store))) == 6


def test_cancel_by_file_and_resume(store, held):
    job, process = held(idle=PATIENCE)
    queue.cancel(now(store, job))
    until(lambda: now(store, job).state == "cancelled")
    assert process.poll() is None
    with pytest.raises(Cancelled):
        worker.run(store, job, {})
    (store.root / "hold").unlink()
    queue.submit(store, fake.request())
    until(lambda: now(store, job).state == "done")
    assert len(measured(store)) == 6


def test_enforce_ends_a_process_that_does_not_listen(store, held, monkeypatch):
    (store.root / "deaf").touch()
    job, process = held()
    queue.cancel(now(store, job))
    assert not queue.end_if_stuck(now(store, job), grace=3600)
    with monkeypatch.context() as patch:
        patch.setenv(access.READ_ONLY, "on")
        assert not queue.end_if_stuck(now(store, job), grace=0)
    assert queue.end_if_stuck(now(store, job), grace=0)
    process.wait()
    assert now(store, job).state == "cancelled"


def test_a_second_job_waits_for_the_device(store, start):
    (store.root / "hold").touch()
    first, second = (queue.submit(store, fake.request(seed=seed)) for seed in (1, 2))
    start()
    until(lambda: now(store, first).state == "running")
    assert queue.queue_position(store, now(store, second)) == 1
    heard = []
    follower = threading.Thread(target=worker.run, args=(store, second, {}, heard.append))
    follower.start()
    until(lambda: heard)
    assert heard[0].line.startswith("waiting for 1 run")
    (store.root / "hold").unlink()
    follower.join(PATIENCE)
    assert now(store, second).state == "done"


def test_two_processes_that_ask_for_the_same_at_once_compute_it_once(store, start):
    queue.submit(store, fake.request())
    other = start()
    worker.run(store, queue.submit(store, fake.request()), {})
    assert other.wait(PATIENCE) == 0
    assert sorted(measured(store)) == sorted(set(measured(store))) and len(measured(store)) == 6
    [job] = queue.jobs(store)
    assert job.state == "done" and store.find(fake.request()).key == job.status.result


def test_a_run_on_a_full_disk_is_interrupted(store, monkeypatch):
    job = queue.submit(store, fake.request())
    monkeypatch.setattr(fake, "_measure", Mock(side_effect=OSError(errno.ENOSPC, "No space left on device")))
    worker.work(store, "cpu", 0.0)
    assert now(store, job).state == "interrupted"
