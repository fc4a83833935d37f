"""Sockets and priority of a process; locks and ends of processes are tested with the jobs that they are for."""

import logging
import socket
import subprocess
import sys

import psutil
import pytest

from core.jobs import PROJECT, send_at_once


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell a process which sockets are its own")
def test_an_accepted_socket_sends_small_pieces_at_once():
    with socket.socket() as listening:  # as Streamlit makes it: without a protocol
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        for at_once in (False, True):
            with socket.create_connection(listening.getsockname()), listening.accept()[0] as accepted:
                assert bool(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)) == at_once
            send_at_once()


def test_hidden_sockets_stop_no_server(monkeypatch, caplog):
    def hidden(*_):
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil.Process, "net_connections", hidden)
    with caplog.at_level(logging.WARNING):
        send_at_once()
    assert "later" in caplog.text


def test_a_worker_lets_others_come_first():
    code = "import psutil; from core.jobs import processes; processes.lower_priority(); print(psutil.Process().nice())"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert int(done.stdout) > psutil.Process().nice()
