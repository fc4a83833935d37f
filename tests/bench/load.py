"""Many readers, many runs, for a long time: `python -m tests.bench.load`, a table of what it took."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from core.ask.inputs import WindowRequest
from core.ask.measurements import MeasureRequest
from core.ask.perturbations import PRESETS
from core.jobs import queue, records
from core.jobs.status import Status
from core.store.cache import Store
from tests.bench.sessions import Session
from tests.e2e.conftest import ROOT, serving

PAGES = {"absorption": "layer={}", "allocate": "layer={}", "lab": ""}
Row = tuple[str, str]


def request(seed: int) -> MeasureRequest:
    return MeasureRequest(text=WindowRequest(sequences=8, seed=seed), measurements=PRESETS["quick"].measurements)


def listing(store: Store, count: int) -> Iterator[Row]:
    """Submissions, and what a list of them takes; half of them have ended."""
    began = time.monotonic()
    submitted = [queue.submit(store, request(seed)) for seed in range(count)]
    yield f"{count} submissions", f"{time.monotonic() - began:.1f} s"
    for job in submitted[: count // 2]:
        job.write(Status(state="done", result=job.key))
    records._read_request.cache_clear()
    records._read_status.cache_clear()
    for what in ("for the first time", "again"):
        began = time.monotonic()
        assert len(queue.jobs(store)) == count
        yield f"list of {count} runs, {what}", f"{time.monotonic() - began:.3f} s"


def ticks(store: Store) -> Iterator[Row]:
    """What the sidebar draws every two seconds, with one run in the queue and with those that are there."""
    with tempfile.TemporaryDirectory() as folder:
        one = Store(Path(folder))
        queue.submit(one, request(0))
        for what in (one, store):
            with serving(what.root) as address:
                session = Session(address, "help")
                [fragment] = session.fragments
                took = [session.run(fragment=fragment) for _ in range(10)]
                session.close()
            waiting = len(queue.active(what))
            yield f"tick of the sidebar, {waiting} in the queue", f"{np.median(took) * 1e3:.0f} ms"


def readers(count: int, reruns: int, measuring: bool) -> Iterator[Row]:
    """Sessions on three pages at once, while a measurement runs."""
    with tempfile.TemporaryDirectory() as cache, serving(Path(cache)) as address:
        if measuring:
            queue.submit(Store(Path(cache)), MeasureRequest(measurements=PRESETS["standard"].measurements))
        command = [sys.executable, "-m", "core", "work", "--device", "cpu", "--cache", cache]
        run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) if measuring else None
        server = psutil.Process(_server())
        sessions = [Session(address, list(PAGES)[number % len(PAGES)]) for number in range(count)]
        before = sum(server.cpu_times()[:2])
        threads = [threading.Thread(target=_reads, args=(each, reruns)) for each in sessions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        used = sum(server.cpu_times()[:2]) - before
        if run:
            run.kill()
            run.wait()
    seconds = np.concatenate([each.seconds for each in sessions])
    errors = sum(len(each.errors) for each in sessions)
    yield f"{count} sessions, {len(seconds)} reruns: errors", str(errors)
    yield "processor time of a rerun", f"{used / len(seconds) * 1e3:.0f} ms"
    yield "median and p95 of a rerun", f"{np.median(seconds):.2f} s, {np.quantile(seconds, 0.95):.2f} s"


def _reads(session: Session, reruns: int) -> None:
    for number in range(reruns):
        session.rerun(PAGES[session.page].format(number % 30))
        time.sleep(1.0)  # a reader looks at what was drawn
    session.close()


def visits(count: int) -> Iterator[Row]:
    """Memory of the server over visits that end."""
    with tempfile.TemporaryDirectory() as cache, serving(Path(cache)) as address:
        server = _server()
        for number in range(count + 1):
            if number in _quarters(count):
                yield f"memory after {number} visits", _memory(server)
            Session(address, list(PAGES)[number % len(PAGES)]).close()


def jobs(count: int) -> Iterator[Row]:
    """Memory of a worker over jobs, of a tiny model."""
    from core.jobs import worker
    from tests import tiny

    with tempfile.TemporaryDirectory() as folder:
        store, models = Store(Path(folder)), {}
        text = tiny.text_file(Path(folder))
        for number in range(count + 1):
            if number in _quarters(count):
                yield f"memory after {number} jobs", _memory(psutil.Process().pid)
            window = WindowRequest(source=text, sequences=2, length=16, seed=number)
            asked = MeasureRequest(
                model=str(tiny.folder("llama")), text=window, measurements=PRESETS["quick"].measurements
            )
            worker.run(store, queue.submit(store, asked), models)


def _quarters(count: int) -> set[int]:
    """Where memory is read: level from the first to the last of them means that nothing leaks."""
    return {count * quarter // 4 for quarter in (1, 2, 3, 4)}


def _server() -> int:
    return next(each.pid for each in psutil.Process().children() if "streamlit" in " ".join(each.cmdline()))


def _memory(pid: int) -> str:
    return f"{psutil.Process(pid).memory_info().rss / 2**20:.0f} MiB"


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--sessions", type=int, default=20)
    asked.add_argument("--reruns", type=int, default=20, help="of each session")
    asked.add_argument("--runs", type=int, default=2000)
    asked.add_argument("--visits", type=int, default=400)
    asked.add_argument("--jobs", type=int, default=100)
    asked.add_argument("--idle", action="store_true", help="let no measurement run beside the sessions")
    given = asked.parse_args()
    table = Table("what", "measured", title="Load")
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        parts = [listing(store, given.runs), ticks(store), readers(given.sessions, given.reruns, not given.idle)]
        for part in [*parts, visits(given.visits), jobs(given.jobs)]:
            for row in part:
                print(*row, sep=": ", flush=True)
                table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    main()
