"""The model that is kept warm for the lab: one process for all readers, which answers one question at a time. No torch.

The process starts with the first question, leaves after ten minutes without one, and ends with this process.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Literal

from core.ask.lab import Prompt, Question, check_layer
from core.base.errors import UserError
from core.jobs.queue import IDLE, PROJECT
from core.jobs.scheduler import Scheduler, Task
from core.jobs.warm_process import receive, send
from core.store.scenes import Generated, Row, Scene

LOG = logging.getLogger(__name__)
State = Literal["cold", "loading", "ready"]
COMMAND = (sys.executable, "-m", "core.jobs.warm_process", "demo")
AHEAD = Task("ahead")
STOPPED = "the lab's model stopped while it worked on this, perhaps for want of memory: ask again"
BROKEN = "the lab's model could not be started: see the terminal that the dashboard runs in"
# threads that wait give their core away, so that a run beside it goes on; libraries draw no bars
SURROUNDINGS = {"OMP_WAIT_POLICY": "passive", "TQDM_DISABLE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


class Warm:
    """A process that answers in turn, and the thread that looks after it."""

    def __init__(self, command: Sequence[str] = COMMAND, idle: float = IDLE):
        """idle: seconds without a question after which the process leaves."""
        self.command, self.idle = command, idle
        self.scheduler = Scheduler()
        self.serving = False  # whether the thread is there
        self.stage: State = "cold"

    def state(self) -> State:
        """Whether the model is in memory, on its way there, or neither."""
        return self.stage

    def wake(self) -> None:
        """Load the model, if it is not there, before anybody asks."""
        with self.scheduler.changed:
            if not self.serving:
                self.serving, self.stage = True, "loading"
                threading.Thread(target=self._run, name="lab", daemon=True).start()

    def ask(self, task: Task, reader: str) -> Future:
        """The future of a task's answer; see `Scheduler`."""
        with self.scheduler.changed:
            future = self.scheduler.ask(task, reader)
            if not future.done():
                self.wake()
            return future

    def ahead(self, future: Future) -> int:
        """How many questions are answered before this one."""
        return self.scheduler.ahead(future)

    # -- in a thread of its own ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        """Start the process and hand it one task after the other; a process that stopped is started anew."""
        stopped = True
        while stopped:  # not while serving: once this thread has left, another may serve
            self.stage = "loading"
            process, (kind, content) = _begin(self.command)
            if kind != "ready":
                return self._leave(content)
            self.stage = "ready"
            try:
                stopped = self._answer(process)
            finally:
                _end(process)
        return None

    def _answer(self, process: subprocess.Popen) -> bool:
        """Answer until nobody asks (False) or the process has stopped (True); go steps ahead while nobody waits."""
        kind, more = "", True
        while kind != "stopped":
            with self.scheduler.changed:
                ticket = self.scheduler.next(0 if more else self.idle)
                if ticket is None and not more:
                    self._leave()
                    return False
            kind, content = _exchange(process, ticket.task if ticket else AHEAD)
            if ticket is None:
                more = (kind, content) == ("answer", True)
                if kind == "stopped":  # the next question starts a new one: else it would stop again and again
                    self._leave(content)
                    return False
            elif kind == "answer":
                self.scheduler.keep(content)
                ticket.future.set_result(content)
            else:
                ticket.future.set_exception(RuntimeError(content) if kind == "failed" else UserError(content))
        return True

    def _leave(self, why: str = "") -> None:
        """Stop serving, and fail all pending futures with the reason."""
        with self.scheduler.changed:
            self.serving, self.stage = False, "cold"
            pending = self.scheduler.clear()
        for ticket in pending:
            ticket.future.set_exception(UserError(why))


def _begin(command: Sequence[str]) -> tuple[subprocess.Popen | None, list[str]]:
    """A process and its first message: it has its model, or cannot have it and has left."""
    process = None
    try:
        process = subprocess.Popen(
            command, cwd=PROJECT, env={**os.environ, **SURROUNDINGS}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        message = receive(process.stdout)
    except (EOFError, OSError, ValueError):
        message = ["refused", BROKEN]
    if process and message[0] != "ready":
        _end(process)
    return process, message


def _exchange(process: subprocess.Popen, task: Task) -> tuple[str, Any]:
    """How a task went in the process, and the answer or what is wrong."""
    try:
        send(process.stdin, *task)
        kind, content = receive(process.stdout)
        return kind, content
    except Exception:  # whatever came is no answer: who waits is told, and a new process is started
        LOG.exception("the lab's process gave no answer")
        return "stopped", STOPPED


def _end(process: subprocess.Popen) -> None:
    """End a process: it leaves when nothing can be asked any more."""
    with suppress(OSError):
        process.stdin.close()
    try:
        process.wait(2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


_HERE = Warm()
state, ahead, wake = _HERE.state, _HERE.ahead, _HERE.wake


def row(question: Question, layer: int, reader: str = "") -> Future[Row]:
    """What a perturbation at one layer does.

    Raises:
        UserError: there is no such layer; all else that is wrong is raised by the future.
    """
    if layer < 0:
        check_layer(layer, 1)
    return _HERE.ask(Task("row", question, layer), reader)


def scene(question: Question, reader: str = "") -> Future[Scene]:
    """What it does at every layer in turn."""
    return _HERE.ask(Task("scene", question), reader)


def generate(prompt: Prompt, reader: str = "") -> Future[Generated]:
    """What the dense and the pruned model write after a prompt."""
    return _HERE.ask(Task("text", prompt), reader)
