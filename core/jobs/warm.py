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
from typing import Literal

from core.ask.lab import Prompt, Question
from core.base.errors import UserError
from core.jobs.queue import IDLE, PROJECT
from core.jobs.scheduler import Scheduler, Task
from core.jobs.warm_process import receive, send
from core.store.scenes import Generated, Row, Scene

LOG = logging.getLogger(__name__)
State = Literal["cold", "loading", "ready"]
COMMAND = (sys.executable, "-m", "core.jobs.warm_process", "demo")
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
        self.stage: State = "cold"

    def state(self) -> State:
        """Whether the model is in memory, on its way there, or neither."""
        return self.stage

    def wake(self) -> None:
        """Load the model, if it is not there, before anybody asks."""
        with self.scheduler.changed:
            if self.stage == "cold":
                self.stage = "loading"
                threading.Thread(target=self._run, name="lab", daemon=True).start()

    def ask(self, task: Task, reader: str, tab: str = "") -> Future:
        """The future of a task's answer; see `Scheduler`."""
        with self.scheduler.changed:
            future = self.scheduler.ask(task, reader, tab)
            if not future.done():
                self.wake()
            return future

    def ahead(self, future: Future) -> int:
        """How many questions are answered before this one."""
        return self.scheduler.ahead(future)

    # -- in a thread of its own ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        """Have one process after the other answer, until one is left."""
        stopped = True
        while stopped:
            self.stage = "loading"
            process = subprocess.Popen(
                self.command,
                cwd=PROJECT,
                env={**os.environ, **SURROUNDINGS},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            try:
                stopped = self._answer(process)
            finally:
                _end(process)

    def _answer(self, process: subprocess.Popen) -> bool:
        """Answer by a process until it has stopped (True), has no model or nobody asks (False)."""
        try:
            kind, content = receive(process.stdout)
        except (EOFError, ValueError):
            kind, content = "refused", BROKEN
        if kind != "ready":
            self._leave(content)
            return False
        self.stage = "ready"
        while True:
            with self.scheduler.changed:
                ticket = self.scheduler.next(self.idle)
                if ticket is None:
                    self._leave()
                    return False
            try:
                send(process.stdin, *ticket.task)
                kind, content = receive(process.stdout)
            except Exception:  # whatever came is no answer: who waits is told, and a new process is started
                LOG.exception("the lab's process gave no answer")
                ticket.future.set_exception(UserError(STOPPED))
                return True
            if kind == "answer":
                self.scheduler.keep(content)
            else:
                ticket.future.set_exception(RuntimeError(content) if kind == "failed" else UserError(content))

    def _leave(self, why: str = "") -> None:
        """Stop serving, and fail all who wait with the reason."""
        with self.scheduler.changed:
            self.stage = "cold"
            self.scheduler.fail(UserError(why))


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


def row(question: Question, layer: int, reader: str = "", tab: str = "") -> Future[Row]:
    """What a perturbation at one layer does; whatever is wrong is raised by the future."""
    return _HERE.ask(Task("row", question, layer), reader, tab)


def scene(question: Question, reader: str = "", tab: str = "") -> Future[Scene]:
    """What it does at every layer in turn."""
    return _HERE.ask(Task("scene", question), reader, tab)


def generate(prompt: Prompt, reader: str = "", tab: str = "") -> Future[Generated]:
    """What the dense and the pruned model write after a prompt."""
    return _HERE.ask(Task("text", prompt), reader, tab)
