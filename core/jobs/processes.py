"""Locks, processes and their sockets, the same on Linux, macOS and Windows."""

import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import psutil
from filelock import AcquireReturnProxy, FileLock, Timeout

from core.base import made

MODEST = 10  # niceness
CLOCK_SLACK = 2.0  # seconds by which two readings of one process's start time may differ


def take(path: Path, seconds: float = 0.5) -> AcquireReturnProxy | None:
    """Hold a lock file until the end of a `with`; None if another process holds it.

    The system lets go when the holder dies, however it dies.
    """
    made(path.parent)
    try:
        return FileLock(path, poll_interval=0.02).acquire(timeout=seconds)
    except Timeout:
        return None


def is_locked(path: Path) -> bool:
    """True if some process holds a lock file at this moment."""
    if not path.exists():
        return False
    lock = take(path, seconds=0)
    if lock is None:
        return True
    with lock:
        return False


def identity() -> dict[str, float]:
    """This process as `pid` and `born`, its start time: a pid alone is given out again."""
    process = psutil.Process()
    return {"pid": process.pid, "born": _born(process)}


def _born(process: psutil.Process) -> float:
    """Start time of a process, seconds; on Linux since the machine's own, for it would move when a clock is set."""
    return process.create_time() - (psutil.boot_time() if sys.platform == "linux" else 0.0)


def end(pid: int, born: float) -> bool:
    """Terminate a process, then kill it if it has not left after two seconds. False: it was not there, or is us."""
    try:
        process = psutil.Process(pid)
        if pid == os.getpid() or abs(_born(process) - born) > CLOCK_SLACK or process.status() == psutil.STATUS_ZOMBIE:
            return False
        process.terminate()
        process.wait(2)
    except psutil.TimeoutExpired:
        process.kill()
    except psutil.NoSuchProcess:
        return False
    return True


def detach(command: Sequence[str], folder: Path, log: Path) -> subprocess.Popen:
    """Start a process in `folder` that outlives this one and writes to `log`."""
    made(log.parent)
    apart = {"start_new_session": True}
    if os.name == "nt":
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.DETACHED_PROCESS}
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **apart)
    threading.Thread(target=process.wait, daemon=True).start()  # else it would stay a zombie after its end
    return process


def lower_priority() -> None:
    """Lower the priority of this process: work that somebody waits for goes first."""
    this = psutil.Process()
    this.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS if os.name == "nt" else max(MODEST, this.nice()))


def send_at_once() -> None:
    """Set TCP_NODELAY on the listening sockets of this process: small pieces are sent at once.

    A web server sends the head and the body of an answer apart. The system holds the second back until the browser
    acknowledges the first, which it puts off for 40 ms. asyncio turns that off only where a socket says that it speaks
    TCP, which one that was bound beforehand, as Streamlit's, does not (uvicorn's issue 3149). Accepted sockets inherit
    what the listening one is told. Windows does not tell a process which sockets are its own: there nothing changes.
    """
    try:
        connections = psutil.Process().net_connections("tcp")
    except (psutil.Error, OSError) as error:  # a system that shows no process its sockets
        logging.getLogger(__name__).warning("Pages may open a little later: %s", error)
        return
    for each in connections:
        if each.status == psutil.CONN_LISTEN and each.fd >= 0:
            with socket.socket(fileno=os.dup(each.fd)) as same:
                same.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
