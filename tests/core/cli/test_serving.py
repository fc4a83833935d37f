"""`python -m core serve` as it runs: what it refuses, and that nothing of it outlives its process."""

import socket
import subprocess
import sys
import time
from http.client import HTTPConnection

import pytest

from core.jobs import PROJECT

PATIENCE = 120  # seconds before the test gives up; none is measured by it


def listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def status(port, method, path, content=b""):
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request(method, path, content)
    return connection.getresponse().status


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
