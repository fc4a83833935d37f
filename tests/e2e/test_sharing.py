"""A server that others use: a class that may only look, and two readers with names, each in a browser of their own."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Page, expect

from core.jobs import queue
from core.jobs.records import Status
from core.store.cache import Store
from tests import fake_experiment as fake
from tests import synthetic
from tests.e2e.conftest import READY, ROOT, _stop, _wait, free_port, working

pytestmark = pytest.mark.timeout(900)
SLOW = 240_000  # ms: a server that starts beside others
HEADER = "X-Reader"
REFUSAL = "is not yours alone"


@contextmanager
def serving(cache: Path, *options: str) -> Iterator[str]:
    """`python -m core serve` until the block ends; yields its address."""
    port = free_port()
    command = [sys.executable, "-m", "core", "serve", "--port", str(port), "--cache", str(cache), *options]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command, cwd=ROOT, env=os.environ.copy(), start_new_session=True, **quiet)
    try:
        _wait(f"http://127.0.0.1:{port}/_stcore/health", server)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, 15)
        _stop(server)


def test_a_class_may_only_look(tab: Callable[..., Page], tmp_path: Path) -> None:
    store = Store(tmp_path)
    synthetic.save_profile(store.root, synthetic.profile_spec(4, 8, "quick"), 4)
    queue.submit(store, fake.request())
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    with serving(tmp_path, "--share", "lab.example.org", "--read-only") as address:
        connection = HTTPConnection(urlparse(address).netloc, timeout=60)
        connection.request("GET", "/", headers={"Host": "lab.example.org"})
        assert connection.getresponse().status == 200
        one, other = tab(f"{address}/lab", until=READY), tab(f"{address}/runs", until=READY)
        for label in ("Delete", "Cancel"):
            expect(other.get_by_role("button", name=label, exact=True).first).to_be_disabled(timeout=SLOW)
        field = one.get_by_role("textbox").first
        field.fill("A sentence of one reader.")
        field.press("Enter")
        taken = re.compile("The model is loading|Measuring layer|Layer \\d+ is measured|Measured live")
        expect(one.get_by_text(taken).first).to_be_visible(timeout=SLOW)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before


@contextmanager
def known_as(reader: str, address: str) -> Iterator[str]:
    """A proxy that says who reads, until the block ends; yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_accept, args=(listening, urlparse(address).port, reader), daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def _accept(listening: socket.socket, port: int, reader: str) -> None:
    with suppress(OSError):  # closed: the block has ended
        while True:
            browser, _ = listening.accept()
            threading.Thread(target=_forward, args=(browser, port, reader), daemon=True).start()


def _forward(browser: socket.socket, port: int, reader: str) -> None:
    """Pass on one request with the reader's name, and what follows both ways as it is."""
    with suppress(OSError), browser, socket.create_connection(("127.0.0.1", port)) as server:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = browser.recv(65536)
            if not piece:
                return
            head += piece
        line, _, rest = head.partition(b"\r\n")
        once = b"" if b"upgrade:" in rest.lower() else b"Connection: close\r\n"  # the next is a connection of its own
        rest = rest if not once else re.sub(rb"(?i)^connection:.*\r\n", b"", rest, flags=re.MULTILINE)
        server.sendall(line + b"\r\n" + f"{HEADER}: {reader}\r\n".encode() + once + rest)
        threading.Thread(target=_pour, args=(browser, server), daemon=True).start()
        _pour(server, browser)


def _pour(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


def test_one_reader_ends_and_deletes_nothing_of_another(tab: Callable[..., Page], tmp_path: Path) -> None:
    store, root = Store(tmp_path / "cache"), tmp_path / "root"
    root.mkdir()
    key = synthetic.save_profile(store.root, synthetic.profile_spec(4, 8, "quick"), 4)
    queue.submit(store, fake.request(seed=1), reader="ann").write(Status(state="done", result=key))
    (store.root / "hold").touch()
    run = queue.submit(store, fake.request(), reader="ann")
    options = ("--share", "lab.example.org", "--root", str(root), "--user-header", HEADER)
    worker = working(store.root, "tests/fake_experiment.py", str(store.root), "cpu", "60")
    server = serving(store.root, *options)
    with worker, server as address, known_as("ann", address) as ann, known_as("bob", address) as bob:
        other = tab(f"{bob}/measure?job={run.key}", until=READY)
        refused(other, "Cancel")
        other.wait_for_timeout(3000)  # the panel has drawn itself anew meanwhile
        expect(other.get_by_text(REFUSAL)).to_be_visible()
        for buttons in (("Cancel",), ("Forget",), ("Delete", "Delete it")):
            other.goto(f"{bob}/runs?profile={key}")
            refused(other, *buttons)
        assert key in [entry.key for entry in store.entries()]
        assert len(queue.jobs(store)) == 2 and not queue.job(store, run.key).cancelling
        mine = tab(f"{ann}/measure?job={run.key}", until=READY)
        mine.get_by_role("button", name="Cancel", exact=True).click()
        expect(mine.get_by_text("Cancelled at")).to_be_visible(timeout=SLOW)
        mine.goto(f"{ann}/runs?profile={key}")
        mine.get_by_role("button", name="Delete", exact=True).click()
        mine.get_by_role("button", name="Delete it").click()
        expect(mine.get_by_role("dialog")).to_have_count(0, timeout=SLOW)
        mine.get_by_role("button", name="Forget", exact=True).first.click()
        expect(mine.get_by_role("button", name="Forget", exact=True)).to_have_count(1, timeout=SLOW)
    assert key not in [entry.key for entry in store.entries()] and len(queue.jobs(store)) == 1


def refused(page: Page, *labels: str) -> None:
    """Press one button after the other, and read beside the last that this is not permitted."""
    for label in labels:
        page.get_by_role("button", name=label, exact=True).first.click(timeout=SLOW)
    expect(page.get_by_test_id("stAlert").get_by_text(REFUSAL)).to_be_visible()
