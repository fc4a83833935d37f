"""`python -m core serve` as it runs: what it refuses, and that nothing of it outlives its process."""

import os
import runpy
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection
from types import SimpleNamespace

import psutil
import pytest

from core.cli import main
from core.jobs import PROJECT

PATIENCE = 120  # seconds before the test gives up; none is measured by it


def listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def status(port, method, path, content=b""):
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request(method, path, content)
    return connection.getresponse().status


@pytest.mark.parametrize(
    ("options", "listens", "believed"),
    [
        ([], "127.0.0.1", ""),
        (["--read-only"], "127.0.0.1", ""),
        (["--read-only", "--share", "lab.example"], "0.0.0.0", ""),
        (["--read-only", "--share", "10.9.8.7"], "10.9.8.7", ""),
        (["--read-only", "--share", "203.0.113.9"], "0.0.0.0", ""),  # of a gateway, no interface here
        (["--root", ".", "--share", "lab.example"], "127.0.0.1", "127.0.0.1,::1"),
    ],
)
def test_where_it_listens_and_whose_word_counts_for_a_reader_s_address(options, listens, believed, monkeypatch):
    monkeypatch.setattr(os, "environ", {**os.environ})
    monkeypatch.setattr(os, "chdir", lambda _: None)
    monkeypatch.setattr(sys, "argv", ["core"])
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: {"eth0": [SimpleNamespace(address="10.9.8.7")]})
    monkeypatch.setattr(socket, "create_server", lambda place: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(runpy, "run_module", lambda *_, **how: None)
    main(["serve", *options])
    assert f"--server.address={listens}" in sys.argv and os.environ["FORWARDED_ALLOW_IPS"] == believed
    assert (f"--server.allowedHosts={[None, *options][-1]}" in sys.argv) == ("--share" in options)
    assert ("--client.showErrorDetails=none" in sys.argv) == bool(options)


@pytest.mark.timeout(3 * PATIENCE)
def test_who_ends_a_server_has_ended_all_of_it_and_who_reads_it_uploads_nothing(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "core", "serve", "--read-only", "--port", str(port), "--cache", str(tmp_path)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command, cwd=PROJECT, **quiet)
    try:
        deadline = time.monotonic() + PATIENCE
        while not listening(port):
            assert server.poll() is None and time.monotonic() < deadline, "the server did not start"
            time.sleep(0.1)
        assert status(port, "GET", "/_stcore/health") == 200
        assert status(port, "PUT", "/_stcore/upload_file/session/file", bytes(2**20)) == 403
        server.terminate()
        server.wait(PATIENCE)
        assert not listening(port)
    finally:
        server.kill()
        server.wait()
