"""The model that is kept warm for the lab: one process for all readers, which answers one question at a time. No torch.

The process starts with the first question, leaves after ten minutes without one, and ends with this process.
"""

import logging
import os
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from core.base import UserError
from core.jobs.queue import IDLE, PROJECT
from core.lab.warm_process import Kind, Task, receive, send
from core.requests.lab import Question, Talk
from core.store import Store
from core.store.files import sealed, unsealed, write_file

KEPT = 64  # answers
TOLD = 4096  # readers and tabs whose last turn is known
# The lowest is answered first; a talk asks again and again
RANK = {"row": 0, "lens": 1, "scene": 2, "talk": 3}
LOG = logging.getLogger(__name__)
State = Literal["cold", "loading", "ready"]
COMMAND = (sys.executable, "-m", "core.lab.warm_process", "demo")
STOPPED = "the lab's model stopped while it worked on this, perhaps for want of memory: ask again"
BROKEN = "the lab's model could not be started: see the terminal that the dashboard runs in"
# threads that wait give their core away, so that a run beside it goes on; libraries draw no bars
SURROUNDINGS = {"OMP_WAIT_POLICY": "passive", "TQDM_DISABLE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


@dataclass(eq=False)
class Ticket:
    """A task that a tab of a reader waits for."""

    task: Task
    reader: str
    tab: str
    future: Future = field(default_factory=Future)


class Scheduler:
    """Tickets in the order in which they are answered, safe for many threads.

    The reader comes first who was answered longest ago, in whichever tab and whatever was asked: many tabs delay others
    no more than one. Of a reader the kind that is answered fastest comes first, then the tab that was answered longest
    ago. A new question takes the place of the same tab's older one of its kind.
    """

    def __init__(self):
        self.changed = threading.Condition(threading.RLock())  # guards everything below
        self.waiting = []  # in the order of asking
        self.running = None
        self.answers = OrderedDict()  # by task
        self.served = OrderedDict()  # reader, or with a tab -> their last turn

    def ask(self, task: Task, reader: str, tab: str = "") -> Future:
        """The future of a task's answer; it is cancelled when the tab asks another of its kind."""
        with self.changed:
            asker = reader, tab, task.kind
            for old in [each for each in self.waiting if (each.reader, each.tab, each.task.kind) == asker]:
                if old.task == task:
                    return old.future
                self.waiting.remove(old)
                old.future.cancel()
            ticket = Ticket(task, reader, tab)
            if not self._known(ticket):
                self.waiting.append(ticket)
                self.changed.notify_all()
            return ticket.future

    def ahead(self, future: Future) -> int:
        """How many questions are answered before this one, the running one included; 0 once it runs or is answered."""
        with self.changed:
            order = [each.future for each in sorted(self.waiting, key=self._turn)]
            return order.index(future) + (self.running is not None) if future in order else 0

    def next(self, seconds: float) -> Ticket | None:
        """The ticket whose turn it is, once somebody asks; None if nobody does for so long."""
        with self.changed:
            self.running = None
            while self.running is None:
                if not self.changed.wait_for(lambda: self.waiting, seconds):
                    return None
                ticket = min(self.waiting, key=self._turn)
                self.waiting.remove(ticket)
                if ticket.future.set_running_or_notify_cancel() and not self._known(ticket):
                    self.running = ticket
                    whose = ticket.reader, ticket.tab
                    for each in (whose, whose[:1]):
                        self.served[each] = time.monotonic()
                        self.served.move_to_end(each)
                    while len(self.served) > TOLD:
                        self.served.popitem(last=False)
            return self.running

    def keep(self, answer: Any) -> None:
        """Answer the running task, and keep that; of talks the process keeps what it needs."""
        with self.changed:
            if self.running.task.kind != "talk":
                self.answers[self.running.task] = answer
            while len(self.answers) > KEPT:
                self.answers.popitem(last=False)
        self.running.future.set_result(answer)

    def fail(self, error: Exception) -> None:
        """Fail every ticket that waits."""
        with self.changed:
            waiting, self.waiting, self.running = self.waiting, [], None
        for ticket in waiting:
            if ticket.future.set_running_or_notify_cancel():
                ticket.future.set_exception(error)

    def _turn(self, ticket: Ticket) -> tuple[float, int, float]:
        reader, tab = ticket.reader, ticket.tab
        return self.served.get((reader,), 0.0), RANK[ticket.task.kind], self.served.get((reader, tab), 0.0)

    def _known(self, ticket: Ticket) -> bool:
        """Answer a ticket by what is kept, if that is there."""
        known = ticket.task in self.answers
        if known:
            self.answers.move_to_end(ticket.task)
            ticket.future.set_result(self.answers[ticket.task])
        return known


class Warm(Scheduler):
    """A process that answers tickets in turn, and the thread that looks after it."""

    def __init__(self, command: Sequence[str] = COMMAND, idle: float = IDLE):
        """idle: seconds without a question after which the process leaves."""
        super().__init__()
        self.command, self.idle = command, idle
        self.stage = "cold"
        self.since = 0.0  # when it began to load

    def state(self) -> State:
        """Whether the model is in memory, on its way there, or neither."""
        return self.stage

    def loading(self) -> tuple[float, float | None]:
        """Seconds for which the model has been loading, and that loading it took the last time, on this machine."""
        return time.monotonic() - self.since, unsealed(_note())

    def wake(self) -> None:
        """Load the model, if it is not there, before anybody asks."""
        with self.changed:
            if self.stage == "cold":
                self.stage, self.since = "loading", time.monotonic()
                threading.Thread(target=self._run, name="lab", daemon=True).start()

    def ask(self, task: Task, reader: str, tab: str = "") -> Future:
        """As a scheduler's; the model is loaded where it has to answer."""
        with self.changed:
            future = super().ask(task, reader, tab)
            if not future.done():
                self.wake()
            return future

    # -- in a thread of its own ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        """Have one process after the other answer, until one is left."""
        stopped = True
        while stopped:
            self.stage, self.since = "loading", time.monotonic()
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
        with suppress(OSError, UserError):  # a cache that cannot be written keeps no note
            write_file(_note(), sealed(time.monotonic() - self.since))
        while True:
            with self.changed:
                ticket = self.next(self.idle)
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
                self.keep(content)
            else:
                ticket.future.set_exception(RuntimeError(content) if kind == "failed" else UserError(content))

    def _leave(self, why: str = "") -> None:
        """Stop serving, and fail all who wait with the reason."""
        with self.changed:
            self.stage = "cold"
            self.fail(UserError(why))


def _note() -> Path:
    """The file that says how long the model took to load."""
    return Store().root / "remembered" / "lab-seconds.json"


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
state, loading, ahead, wake = _HERE.state, _HERE.loading, _HERE.ahead, _HERE.wake


def ask(kind: Kind, asked: Question | Talk, layer: int | None, reader: str, tab: str) -> Future:
    """What a perturbation does at one layer, the words there, what it does at every layer, or what two models write.

    Of a talk comes a chunk at a time.

    Whatever is wrong is raised by the future.
    """
    return _HERE.ask(Task(kind, asked, layer, f"{reader} {tab}" if kind == "talk" else ""), reader, tab)
