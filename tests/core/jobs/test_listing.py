"""The list of all runs: read anew where one has changed, and only there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from core.jobs import listing, processes, queue, records
from core.jobs.records import Job, Status
from core.store.cache import Store
from tests import fake_experiment as fake


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Three runs that nothing has happened to for long: one waits, one is done, one runs no more."""
    found = Store(tmp_path)
    for seed, state in enumerate(("queued", "done", "running")):
        queue.submit(found, fake.request(seed=seed)).write(Status(state=state))
    os.utime(found.root / "jobs", (1, 1))
    return found


def job(store: Store, seed: int) -> Job:
    return queue.job(store, fake.request(seed=seed).key)


def test_only_what_runs_is_read_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    before, read, asked = queue.jobs(store), records.read, []
    monkeypatch.setattr(records, "read", lambda root, key: asked.append(key) or read(root, key))
    running = job(store, 2)
    asked.clear()
    with processes.take(running.lock):
        found = queue.jobs(store)
    assert asked == [running.key]
    assert [each.key for each in found] == [each.key for each in before]
    assert {each.state for each in before} - {each.state for each in found} == {"interrupted"}, "seen from its lock"


@pytest.mark.parametrize("waiting", [1, 60])
def test_a_look_at_the_queue_asks_for_what_runs_however_many_wait(
    waiting: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Store(tmp_path)
    running = queue.submit(found, fake.request(seed=0))
    running.write(Status(state="running"))
    for seed in range(1, 1 + waiting):
        queue.submit(found, fake.request(seed=seed))
    os.utime(found.root / "jobs", (1, 1))
    queue.jobs(found)
    look, looked = records._state, []
    monkeypatch.setattr(records, "_state", lambda folder, name: looked.append(Path(folder).name) or look(folder, name))
    with processes.take(running.lock):
        assert len(queue.active(found)) == 1 + waiting
    assert looked == [running.key, running.key], "request.json and progress.json"


@pytest.mark.parametrize(
    "change",
    [
        lambda store: queue.submit(store, fake.request(seed=9)),
        lambda store: queue.cancel(job(store, 0)),
        lambda store: queue.resume(store, job(store, 1)),
        lambda store: queue.resume(store, job(store, 2)),
        lambda store: queue.delete(job(store, 1)),
        lambda store: job(store, 0).write(Status(state="running")),
        lambda store: job(store, 2).write(Status(state="failed", error="no model")),
    ],
    ids=("submit", "cancel", "resume", "take over", "delete", "begin", "end"),
)
def test_a_change_is_in_the_next_list(store: Store, change: Callable[[Store], object]) -> None:
    before = queue.jobs(store)
    change(store)
    found = queue.jobs(store)
    listing._known.clear()
    assert found == queue.jobs(store) != before


def test_a_list_that_was_read_beside_a_change_is_read_again(store: Store) -> None:
    queue.submit(store, fake.request(seed=3))
    queue.jobs(store)
    bell = os.stat(store.root / "jobs").st_mtime_ns
    queue.cancel(job(store, 0))
    os.utime(store.root / "jobs", ns=(bell, bell))  # the clock of the file system is coarse
    assert {each.key: each.state for each in queue.jobs(store)}[job(store, 0).key] == "cancelled"
