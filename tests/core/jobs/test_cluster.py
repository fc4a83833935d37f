"""A run that is spread over processes: the same bits, watched as one job, and nothing lost but what a process held."""

import ast
import os
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from core.base import UserError
from core.jobs import Place, cluster, execute, place, queue, read, worker
from core.models import Cancelled
from core.store import Store
from tests import tiny
from tests.core.jobs.test_shares import numbers
from tests.core.jobs.test_shares import profile as asked
from tests.core.lab.test_warm_model import until

PATIENCE = 240  # seconds before a test gives up; none is measured by it


@pytest.fixture(scope="module")
def undivided(tmp_path_factory):
    """A request, and the numbers of its undivided run."""
    root = tmp_path_factory.mktemp("undivided")
    request, store = asked(tiny.text_file(root)), Store(root / "cache")
    execute.get(request, store)
    return request, numbers(store)


def spread(store, request, where, heard=None):
    """Run a request at a place, as the command line does; its job."""
    job = queue.submit(store, request, str(where))
    entry = worker.run(store, job, {}, (heard if heard is not None else []).append)
    job = queue.job(store, job.key)
    assert (job.state, job.status.result) == ("done", entry.key)
    return job


def alike(store, undivided):
    assert numbers(store) == undivided[1]
    assert [type(each.request) for each in queue.jobs(store)] == [type(undivided[0])], "shares leave no records"
    assert not list((store.root / "jobs").glob("*/request.json"))[1:]


# --- places --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("each", [Place("", 2, "cpu"), Place("10.0.0.1:6379", 8, "cuda")])
def test_a_place_reads_back_where_a_device_is_named(each):
    assert read(str(each)) == each


@pytest.mark.parametrize(
    ("typed", "shares", "named"),
    [("dask", None, "ray:ADDRESS"), ("", None, "ray:ADDRESS"), ("ray:a, b", None, "ray:ADDRESS"), ("ray", 0, "1 or")],
)
def test_what_is_no_place_is_refused(typed, shares, named, refused):
    with refused(named):
        place(typed, shares, "cpu")


def test_a_package_that_is_not_there_is_named(refused, monkeypatch):
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda _: None)
    with refused("pip install ray"):
        place("ray", None, "cpu")


def test_part_and_engine_exclude_each_other(say):
    say("measure", "--part", "1/2", "--engine-on", "ray").refused("--part", "--engine-on")
    say("measure", "--shares", "3").refused("--shares", "--engine-on")


# --- a cluster that is played --------------------------------------------------------------------------------------


class Fake:
    """Ray, whose tasks run in threads of this process."""

    def __init__(self, do):
        self.do, self.asked = do, {}

    def init(self, **asked):
        self.asked |= asked

    def remote(self, **needs):
        self.asked |= needs
        return lambda _: SimpleNamespace(remote=self.start)

    def start(self, _, key):
        thread = threading.Thread(target=self.do, args=(key,))
        thread.start()
        return thread

    def wait(self, tasks, num_returns, timeout):
        assert num_returns == len(tasks)
        tasks[0].join(min(timeout, 0.05))
        return [], [each for each in tasks if each.is_alive()]

    def cancel(self, task, force): ...

    def shutdown(self): ...


@pytest.fixture
def fake(empty, monkeypatch):
    """Have this be Ray, which does shares one after the other."""
    turn = threading.Lock()
    for name in ("RAY_USAGE_STATS_ENABLED", *cluster.LOOPBACK_ONLY):
        monkeypatch.setenv(name, "0")
        monkeypatch.delenv(name)  # put back by the line above

    def do(key):
        with turn:
            worker.run_share(str(empty.root), key)

    def made(do=do):
        monkeypatch.setitem(sys.modules, "ray", Fake(do))
        return sys.modules["ray"]

    return made


def test_shares_make_the_bits_of_one_process(undivided, empty, fake):
    """On a Ray of our own, closed to others: none that somebody else started on this machine is joined."""
    ray = fake()
    heard = []
    spread(empty, undivided[0], Place("", 3, "cpu"), heard)
    alike(empty, undivided)
    known = [each for each in heard if each.total]
    assert known and all(each.done <= each.total for each in known)
    assert any("of 3 shares done" in each.line for each in known)
    assert ray.asked["address"] == "local"
    assert os.environ["RAY_AUTH_MODE"] == "token" and len(os.environ["RAY_AUTH_TOKEN"]) == 64
    assert os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "0"


def test_a_refused_share_refuses_the_whole(empty, text, fake):
    fake()
    with pytest.raises(UserError, match="nowhere"):
        spread(empty, asked(text, "skip", model="nowhere/at-all:no"), Place("", 2, "cpu"))
    assert queue.jobs(empty)[0].status.bad_request


def test_cancelling_the_run_cancels_its_shares(undivided, empty, fake):
    fake(lambda key: until(lambda: queue.job(empty, key).state == "cancelled"))
    job = queue.submit(empty, undivided[0], str(Place("", 2, "cpu")))

    def stop(status):
        if "0 of 2 shares done" in status.line:
            assert queue.active(empty) == [queue.job(empty, job.key)], "the shares are not listed beside their whole"
            queue.cancel(queue.job(empty, job.key))

    with pytest.raises(Cancelled):
        worker.run(empty, job, {}, stop)
    assert queue.job(empty, job.key).state == "cancelled"
    assert len(list((empty.root / "jobs").iterdir())) == 1


@pytest.mark.parametrize(("device", "needs"), [("cuda", "num_gpus"), ("cpu", "num_cpus")])
def test_a_share_asks_ray_for_its_device_and_nothing_is_reported(device, needs, undivided, empty, fake):
    ray = fake(lambda _: None)
    with pytest.raises(RuntimeError, match="share 1 of 2"):  # lost too often
        spread(empty, undivided[0], Place("10.0.0.1:6379", 2, device))
    assert queue.jobs(empty)[0].state == "failed"
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert ray.asked["address"] == "10.0.0.1:6379" and not ray.asked["include_dashboard"] and ray.asked[needs] == 1


NOTED = []


def note(*arguments):
    NOTED.append(arguments)


def test_a_task_imports_the_project_where_it_runs(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    cluster.portable(note)("root", "key")
    assert sys.path[0] == str(queue.PROJECT) and NOTED == [("root", "key")]


# --- a real cluster on this machine -----------------------------------------------------------------


STARTED = """
import psutil
from core.jobs import cluster
ray = cluster._connected(cluster.Place("", 1, "cpu"))
processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
print({each.laddr.ip for process in processes for each in process.net_connections() if each.status == "LISTEN"})
print(ray.get_runtime_context().gcs_address, flush=True)
input()
"""
JOINED = "import ray, sys; ray.init(address=sys.argv[1], log_to_driver=False)"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_ray_of_our_own_answers_nobody_else(monkeypatch):
    """Not from another machine, and not without its token."""
    pytest.importorskip("ray", reason="Ray is no requirement of this project")
    for name in cluster.LOOPBACK_ONLY:
        monkeypatch.delenv(name, raising=False)
    piped = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": queue.PROJECT}
    with subprocess.Popen([sys.executable, "-c", STARTED], **piped) as ours:
        heard, address = ast.literal_eval(ours.stdout.readline()), ours.stdout.readline().strip()
        assert heard and all("127.0.0.1" in each for each in heard)
        for name, value in (cluster.LOOPBACK_ONLY | {"RAY_AUTH_TOKEN": "0" * 64}).items():
            monkeypatch.setenv(name, value)
        asked = [sys.executable, "-c", JOINED, address]
        other = subprocess.run(asked, capture_output=True, text=True, timeout=PATIENCE)
        assert other.returncode and "ConnectionError" in other.stderr
        ours.communicate("\n")
