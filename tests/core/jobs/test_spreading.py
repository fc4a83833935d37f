"""A run that is spread over processes: the same bits, watched as one job, and nothing lost but what a process held."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.jobs import experiment, on_machine, on_slurm, places, queue, worker
from core.jobs.places import Place, place, read
from core.jobs.records import Job, Status
from core.models.progress import Cancelled
from core.specs.errors import UserError
from core.specs.shares import ShareRequest
from core.store.cache import Store
from tests.core.jobs.test_shares import numbers
from tests.core.jobs.test_shares import profile as asked

PATIENCE = 240  # seconds before a test gives up; none is measured by it


@pytest.fixture(scope="module")
def undivided(tmp_path_factory: pytest.TempPathFactory):
    """A request, and the numbers of its undivided run."""
    from tests import tiny

    root = tmp_path_factory.mktemp("undivided")
    request, store = asked(tiny.text_file(root)), Store(root / "cache")
    experiment.get(request, store)
    return request, numbers(store)


def spread(store: Store, request: object, where: Place, heard: list[Status] | None = None) -> Job:
    """Run a request at a place, as the command line does; its job."""
    job = queue.submit(store, request, str(where))
    entry = worker.run(store, job, {}, (heard if heard is not None else []).append)
    job = queue.job(store, job.key)
    assert (job.state, job.status.result) == ("done", entry.key)
    return job


def alike(store: Store, undivided: tuple) -> None:
    assert numbers(store) == undivided[1]
    assert [type(each.request) for each in queue.jobs(store)] == [type(undivided[0])], "shares leave no records"
    assert not list((store.root / "jobs").glob("*/request.json"))[1:]


# --- places --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "each", [Place("machine", "2", 2, "cpu"), Place("ray", "10.0.0.1:6379", 8, "cuda"), Place("slurm", "", 64, "cuda")]
)
def test_a_place_reads_back_where_a_device_is_named(each: Place) -> None:
    assert read(str(each)) == each


@pytest.mark.parametrize("device", ["cpu", "cuda:1", "mps", "auto"])
def test_a_device_is_no_place(device: str) -> None:
    assert read(device) is None


@pytest.mark.parametrize(
    ("typed", "shares", "device", "named"),
    [
        ("dask", None, "cpu", "machine, ray or slurm"),
        ("", None, "cpu", "machine, ray or slurm"),
        ("ray:a, b", None, "cpu", "machine, ray or slurm"),
        ("machine", None, "cpu", "machine:2"),
        ("machine:0", None, "cpu", "machine:2"),
        ("machine:two", None, "cpu", "machine:2"),
        ("machine:2", 0, "cpu", "1 or more"),
    ],
)
def test_what_is_no_place_is_refused(typed: str, shares: int | None, device: str, named: str, refused) -> None:
    with refused(named):
        place(typed, shares, device)


def test_a_package_that_is_not_there_is_named(refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places.importlib.util, "find_spec", lambda _: None)
    for engine, package in (("ray", "ray"), ("slurm", "submitit")):
        with refused(f"pip install {package}"):
            place(engine, None, "cpu")
    assert place("machine:3", None, "cpu") == Place("machine", "3", 3, "cpu"), "needs none"


def test_part_and_engine_exclude_each_other(say: Callable) -> None:
    say("measure", "--part", "1/2", "--engine-on", "machine:2").refused("--part", "--engine-on")
    say("measure", "--shares", "3").refused("--shares", "--engine-on")


# --- this machine --------------------------------------------------------------------------------------------------


def test_two_processes_make_the_bits_of_one(undivided: tuple, empty: Store) -> None:
    heard: list[Status] = []
    spread(empty, undivided[0], Place("machine", "2", 3, "cpu"), heard)
    alike(empty, undivided)
    told = [each for each in heard if each.total]
    assert told and all(each.done <= each.total for each in told)
    assert any("of 3 shares done" in each.line for each in told)


def test_a_study_by_the_command_line(say: Callable, text: str, tmp_path: Path) -> None:
    from tests import tiny

    source = f'source = "{text}"\nlength = 12\n'
    study = f'model = "{tiny.folder("llama")}"\ntargets = [0.5]\nsettings = ["uniform", "depth_ramp beta=0.05"]\n'
    study += f"[calibration]\n{source}sequences = 2\n[evaluation]\n{source}windows = 4\n"
    (tmp_path / "study.toml").write_text(study)
    line = ["study", tmp_path / "study.toml", "--device", "cpu", "--json"]
    there = say(*line, "--engine-on", "machine:2", cache="spread").json
    here = say(*line).json
    assert there["key"] == here["key"]
    assert numbers(Store(tmp_path / "spread")) == numbers(Store(tmp_path / "cache"))


def test_each_gpu_has_its_own_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four shares on two GPUs that are only named: never two on one, and each used twice."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    where = place("machine", 4, "cuda")
    assert where == Place("machine", "2", 4, "cuda")
    tell = "import os, sys; print(os.environ['CUDA_VISIBLE_DEVICES'], sys.argv[2], file=open(sys.argv[1], 'a'))"
    monkeypatch.setattr(on_machine, "PROGRAM", (sys.executable, "-S", "-c", tell))
    with where.open(str(tmp_path / "log"), False) as engine:
        engine.start(["a", "b", "c", "d"])
        assert {key for key, _ in engine.running.values()} == {"a", "b"}
        until(lambda: all(engine.ended(key) for key in "abcd"))
    used = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    assert sorted(key for _, key in used) == ["a", "b", "c", "d"]
    assert {gpu for gpu, _ in used} == {"3", "5"}


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


class Fake:
    """An engine whose processes are lost as often as it is told, then run their shares in a thread."""

    def __init__(self, losses: int, do: Callable[[str], None]):
        self.losses, self.do, self.threads = losses, do, {}
        self.started: list[str] = []

    def __enter__(self) -> Fake:
        return self

    def __exit__(self, *_: object) -> None: ...

    def start(self, keys: list[str]) -> None:
        for key in keys:
            lost = self.started.count(key) < self.losses
            self.started.append(key)
            self.threads[key] = threading.Thread(target=(lambda _: None) if lost else self.do, args=(key,))
            self.threads[key].start()

    def ended(self, key: str) -> bool:
        return key not in self.threads or not self.threads[key].is_alive()

    def stop(self, key: str) -> None: ...


@pytest.fixture
def fake(empty: Store, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Fake]:
    """Have places open this engine, which does shares one after the other."""
    monkeypatch.setattr("core.jobs.spreading.PAUSE", 0.05)
    monkeypatch.setattr("core.jobs.queue.GRACE", 5.0)
    turn = threading.Lock()

    def do(key: str) -> None:
        from core.jobs.share import run

        with turn:
            run(str(empty.root), key, False)

    def made(losses: int = 0, do: Callable[[str], None] = do) -> Fake:
        engine = Fake(losses, do)
        monkeypatch.setattr(Place, "open", lambda *_: engine)
        return engine

    return made


def test_a_share_whose_process_is_lost_is_started_again(undivided: tuple, empty: Store, fake: Callable) -> None:
    engine = fake(losses=2)
    job = spread(empty, undivided[0], Place("ray", "", 2, "cpu"))
    alike(empty, undivided)
    assert len(engine.started) == 6 and "started again: share 1 of 2" in job.log


def test_the_worker_of_a_place_serves_its_queue(undivided: tuple, empty: Store, fake: Callable) -> None:
    """As the dashboard has a run go on: queued at its place, and served by a worker of that name."""
    fake()
    where = str(Place("ray", "", 2, "cpu"))
    job = queue.submit(empty, undivided[0], where)
    worker.work(empty, where, idle=0)
    assert queue.job(empty, job.key).state == "done"
    alike(empty, undivided)


def test_a_share_that_is_lost_again_and_again_ends_the_run(undivided: tuple, empty: Store, fake: Callable) -> None:
    fake(losses=99)
    with pytest.raises(RuntimeError, match="share 1 of 2"):
        spread(empty, undivided[0], Place("ray", "", 2, "cpu"))
    assert queue.jobs(empty)[0].state == "failed"


def test_a_refused_share_refuses_the_whole(empty: Store, text: str, fake: Callable) -> None:
    fake()
    with pytest.raises(UserError, match="nowhere"):
        spread(empty, asked(text, "skip", model="nowhere/at-all:no"), Place("ray", "", 2, "cpu"))
    assert queue.jobs(empty)[0].status.bad_request


def test_cancelling_the_run_cancels_its_shares(undivided: tuple, empty: Store, fake: Callable) -> None:
    def wait(key: str) -> None:
        until(lambda: queue.job(empty, key).state == "cancelled")

    fake(do=wait)
    job = queue.submit(empty, undivided[0], str(Place("ray", "", 2, "cpu")))

    def stop(status: Status) -> None:
        if "0 of 2 shares done" in status.line:
            assert queue.active(empty) == [queue.job(empty, job.key)], "the shares are not listed beside their whole"
            queue.cancel(queue.job(empty, job.key))

    with pytest.raises(Cancelled):
        worker.run(empty, job, {}, stop)
    assert queue.job(empty, job.key).state == "cancelled"
    assert len(list((empty.root / "jobs").iterdir())) == 1


# --- what clusters are asked for -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("device", "needs"), [("cuda", {"num_gpus": 1}), ("cpu", {"num_cpus": 1})])
def test_a_share_asks_ray_for_its_device_and_nothing_is_reported(
    device: str, needs: dict, empty: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict] = []
    note = lambda **asked: told.append(asked) or (lambda share: share)  # noqa: E731
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(init=note, remote=note, shutdown=lambda: None))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED")  # put back by the line above
    with Place("ray", "10.0.0.1:6379", 8, device).open(str(empty.root), False):
        assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert told[0]["address"] == "10.0.0.1:6379" and not told[0]["include_dashboard"]
    assert told[1] == needs | {"max_retries": 0}


@pytest.mark.parametrize(
    ("device", "address", "needs"),
    [("cuda", "long", {"gpus_per_node": 1, "slurm_partition": "long"}), ("cpu", "", {})],
)
def test_a_share_asks_slurm_for_its_device_and_partition(
    device: str, address: str, needs: dict, empty: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict = {}
    executor = SimpleNamespace(update_parameters=told.update)
    monkeypatch.setitem(sys.modules, "submitit", SimpleNamespace(AutoExecutor=lambda **_: executor))
    monkeypatch.setattr(on_slurm, "CLUSTER", "local")
    with Place("slurm", address, 8, device).open(str(empty.root), False):
        assert told == {"name": "absorption", "timeout_min": on_slurm.MINUTES} | needs


# --- submitit ------------------------------------------------------------------------------------------------------


def test_an_array_through_submitit(undivided: tuple, empty: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Submitit's own executor for one machine in place of Slurm's."""
    monkeypatch.setattr(on_slurm, "CLUSTER", "local")
    spread(empty, undivided[0], place("slurm", 2, "cpu"))
    alike(empty, undivided)


def test_shares_are_listed_where_they_are_asked_for_alone(undivided: tuple, empty: Store) -> None:
    from core.specs.shares import Share

    share = queue.submit(empty, ShareRequest(whole=undivided[0], share=Share(part=1, of=2)))
    assert [each.key for each in queue.jobs(empty)] == [share.key]
    whole = queue.submit(empty, undivided[0])
    assert [each.key for each in queue.jobs(empty)] == [whole.key]
