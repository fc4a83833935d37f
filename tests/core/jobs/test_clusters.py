"""Runs spread over a real Ray cluster of two nodes and over a real Slurm, both on this machine: the same bits."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.jobs import experiment, queue, worker
from core.jobs.places import Place, place
from core.jobs.records import Status
from core.specs import StudyRequest
from core.store.cache import Store
from tests import tiny
from tests.core.evaluation.test_study import request, setting
from tests.core.jobs.test_shares import numbers
from tests.core.jobs.test_spreading import alike, spread, undivided, until  # noqa: F401 (a fixture)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
LOOPBACK = "127.0.0.2"  # Ray takes 127.0.0.1 for the machine's own address
STORE = 80 * 2**20  # bytes of a node's object store, the least there may be
# what every process of the test says of itself: each folder that it puts in its place, which then takes it a while
WATCH = """
import os, sys, time

def heard(event, told):
    if event == "os.rename" and "/.tmp" not in str(told[1]):
        kind = os.path.basename(os.path.dirname(str(told[1])))
        if os.path.isdir(told[0]) and not os.path.basename(str(told[1])).startswith("."):
            with open(os.environ["PLACED"], "a") as log:
                log.write(str(told[1]) + "\\n")
            if kind == "evaluated":
                time.sleep(0.5)

sys.addaudithook(heard)
"""


@pytest.fixture
def placed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Counter]:
    """How often each stored folder was written, by whatever process is started from now on."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(WATCH)
    log = tmp_path / "placed.txt"
    log.touch()
    monkeypatch.setenv("PLACED", str(log))
    paths = (str(tmp_path / "site"), os.environ.get("PYTHONPATH", ""))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    return lambda: Counter(log.read_text().split())


def studied(folder: Path) -> StudyRequest:
    """A study of two dozen points."""
    targets = [0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    settings = [setting(words, each) for each in targets for words in ("depth_ramp beta=0.05", "depth_ramp beta=0.02")]
    return request(tiny.text_file(folder), *settings, *(setting(pruner="magnitude", target=each) for each in targets))


# --- Ray -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator:
    """A cluster of two nodes with a core each, and the second of them."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    one = {"num_cpus": 1, "object_store_memory": STORE, "node_ip_address": LOOPBACK, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=one)
    yield cluster, cluster.add_node(**one)
    cluster.shutdown()


def test_a_measurement_on_two_nodes(placed: Callable, nodes: tuple, undivided: tuple, empty: Store) -> None:  # noqa: F811
    spread(empty, undivided[0], place(f"ray:{nodes[0].address}", 4, "cpu"))
    alike(empty, undivided)


def test_a_node_that_is_killed_in_mid_study(placed: Callable, nodes: tuple, empty: Store, tmp_path: Path) -> None:
    cluster, second = nodes
    asked, local, killed = studied(tmp_path), Store(tmp_path / "local"), []
    experiment.get(asked, local)

    def kill(status: Status) -> None:
        if not killed and status.parts >= 4 and "2 running" in status.line:
            killed.append(status.line)
            cluster.remove_node(second, allow_graceful=False)

    before = placed()
    job = queue.submit(empty, asked, str(Place("ray", cluster.address, 4, "cpu")))
    worker.run(empty, job, {}, kill)
    assert killed and "started again" in queue.job(empty, job.key).log
    assert numbers(empty) == numbers(local)
    units = {path: times for path, times in (placed() - before).items() if "/evaluated/" in path or "/parts/" in path}
    assert len(units) > 18 and set(units.values()) == {1}, "what was finished is not computed again"


# --- Slurm ---------------------------------------------------------------------------------------------------------

CONFIGURATION = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={port_of_node}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A Slurm of one node with two cores that listens on loopback alone."""
    if not all(map(shutil.which, ("munged", "slurmctld", "slurmd", "sbatch"))) or os.getuid():
        pytest.skip("needs root, and Debian's packages slurm-wlm and munge")
    folder = tmp_path / "slurm"
    for each in (folder, folder / "state", folder / "spool"):
        each.mkdir()
    host = subprocess.run(["hostname", "-s"], capture_output=True, text=True, check=True).stdout.strip()
    told = {"host": host, "folder": folder, "port": 26817, "port_of_node": 26818}
    (folder / "slurm.conf").write_text(CONFIGURATION.format(**told))
    (folder / "cgroup.conf").write_text("CgroupPlugin=disabled\n")
    monkeypatch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    named = {"socket": "munge.socket", "pid-file": "munge.pid", "log-file": "munge.log", "seed-file": "munge.seed"}
    options = [f"--key-file={key}", *(f"--{name}={folder / file}" for name, file in named.items())]
    started = []
    for command in (["munged", "-F", "--force", *options], ["slurmctld", "-D"], ["slurmd", "-D", "-N", host]):
        started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=(folder / "err").open("ab")))
        time.sleep(1)
    until(lambda: "idle" in _told("sinfo", "-o", "%T"))
    yield folder
    _told("scancel", "--user", "root")
    until(lambda: not _told("squeue"))  # what a step left behind is swept by a daemon that still runs
    for each in reversed(started):
        each.terminate()
        each.wait()


def _told(*command: str) -> str:
    """What Slurm says, without headings."""
    return subprocess.run([*command, *["-h"] * (command[0] != "scancel")], capture_output=True, text=True).stdout


def test_an_array_of_slurm(placed: Callable, slurm: Path, undivided: tuple, empty: Store) -> None:  # noqa: F811
    spread(empty, undivided[0], place("slurm:main", 3, "cpu"))
    alike(empty, undivided)
