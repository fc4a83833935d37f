"""The lab's warm model: one process for all readers that answers one question at a time. No torch.

The process starts with the first question, exits after ten minutes without one, and ends with this process.
"""

import logging
import math
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal

from core.base import UserError
from core.lab.warm_process import receive, send, started
from core.requests import Question, Talk, Task, TaskKind

IDLE = 600.0  # seconds without a question
MAX_ANSWERS = 64  # remembered
MAX_READERS = 4096  # readers and tabs whose last turn is remembered
AHEAD = 5.0  # seconds by which a turn comes earlier for a first word, and between two such turns of a reader
RANK = {"row": 0, "lens": 1, "scene": 2, "talk": 3}  # the lowest is answered first; a talk asks again and again
LOG = logging.getLogger(__name__)
COMMAND = (sys.executable, "-m", "core.lab.warm_process", "demo")
STOPPED = "the lab's model stopped while it worked on this, perhaps for want of memory: ask again"
BROKEN = "the lab's model could not be started: see the terminal that the dashboard runs in"


@dataclass(eq=False)
class Ticket:
    """A task that one tab of a reader waits for."""

    task: Task
    reader: str
    tab: str
    future: Future = field(default_factory=Future)
    since: float = field(default_factory=time.monotonic)


class Scheduler:
    """Tickets in the order they are answered; thread-safe.

    The reader answered longest ago comes first, whatever the tab or question: many tabs delay others no more than one
    does. A change of damage brings its reader's turn forward, once in five seconds. Within a reader the kind that is
    answered fastest comes first, then the tab answered longest ago. Of readers never answered, the newest hears the
    first words of a text first: those whom somebody invents delay nobody. A new question replaces the same tab's older
    one of its kind.
    """

    def __init__(self):
        self.changed = threading.Condition(threading.RLock())  # guards everything below
        self.waiting = []  # in order of arrival
        self.running = None
        self.pace, self.began = 0.2, 0.0  # seconds that a chunk of a talk takes; when the running task began
        self.answers = OrderedDict()  # by task
        self.served = OrderedDict()  # (reader,) or (reader, tab) -> time of the last turn
        self.ahead = OrderedDict()  # reader -> time when a turn was last brought forward

    def ask(self, task: Task, reader: str, tab: str = "") -> Future:
        """Queue a task; its future is cancelled when the tab asks another of its kind."""
        with self.changed:
            asker = reader, tab, task.kind
            for old in [each for each in self.waiting if (each.reader, each.tab, each.task.kind) == asker]:
                if old.task == task:
                    return old.future
                self.waiting.remove(old)
                old.future.cancel()
            ticket = Ticket(task, reader, tab)
            if not self._answer_from_cache(ticket):
                self.waiting.append(ticket)
                if task.kind == "talk" and task.request.is_first:
                    self._bring_forward(reader)
                self.changed.notify_all()
            return ticket.future

    def count_ahead(self, future: Future) -> int:
        """Count the questions before this one, the running one included; 0 once it runs or is answered."""
        with self.changed:
            order = [each.future for each in sorted(self.waiting, key=self._priority)]
            return order.index(future) + bool(self.running) if future in order else 0

    def seconds_for(self, chunks: int) -> int:
        """Seconds that so many chunks of talks take, at the pace of the last ones; 1 or more."""
        return math.ceil(chunks * self.pace)

    def next(self, seconds: float) -> Ticket | None:
        """Wait for the next ticket; None after so many seconds without one."""
        with self.changed:
            self.running = None
            while self.running is None:
                if not self.changed.wait_for(lambda: self.waiting, seconds):
                    return None
                ticket = min(self.waiting, key=self._priority)
                self.waiting.remove(ticket)
                if ticket.future.set_running_or_notify_cancel() and not self._answer_from_cache(ticket):
                    self.running, self.began = ticket, time.monotonic()
                    for each in ((ticket.reader, ticket.tab), (ticket.reader,)):
                        _keep(self.served, each, self.began, MAX_READERS)
            return self.running

    def answer(self, answer: Any) -> None:
        """Answer the running task and remember the answer; talks are remembered by the process itself."""
        with self.changed:
            if self.running.task.kind == "talk":
                self.pace += (time.monotonic() - self.began - self.pace) / 8
            else:
                _keep(self.answers, self.running.task, answer, MAX_ANSWERS)
        self.running.future.set_result(answer)

    def _priority(self, ticket: Ticket) -> tuple[float, int, float, float]:
        reader, tab, kind = ticket.reader, ticket.tab, ticket.task.kind
        age = -ticket.since if kind == "talk" else ticket.since
        return self.served.get((reader,), 0.0), RANK[kind], self.served.get((reader, tab), 0.0), age

    def _bring_forward(self, reader: str) -> None:
        """Let a reader's next turn come AHEAD earlier, unless one did so in as many seconds."""
        now = time.monotonic()
        if (reader,) in self.served and now > self.ahead.get(reader, -math.inf) + AHEAD:
            self.served[reader,] -= AHEAD
            _keep(self.ahead, reader, now, MAX_READERS)

    def _answer_from_cache(self, ticket: Ticket) -> bool:
        """Answer a ticket from the remembered answers; False if there is none."""
        if ticket.task not in self.answers:
            return False
        self.answers.move_to_end(ticket.task)
        ticket.future.set_result(self.answers[ticket.task])
        return True


def _keep(values: OrderedDict, key: object, value: object, most: int) -> None:
    """Store a value as the latest; the oldest beyond `most` are forgotten."""
    values[key] = value
    values.move_to_end(key)
    while len(values) > most:
        values.popitem(last=False)


class WarmModel(Scheduler):
    """A scheduler with the process that answers its tickets, and the thread that supervises it."""

    def __init__(self, command: Sequence[str] = COMMAND, idle: float = IDLE):
        """idle: seconds without a question after which the process exits."""
        super().__init__()
        self.command, self.idle, self.stage = command, idle, "cold"

    def state(self) -> Literal["cold", "loading", "ready"]:
        """State of the model: in memory if `ready`."""
        return self.stage

    def wake(self) -> None:
        """Load the model before anybody asks; does nothing if it is loaded."""
        with self.changed:
            if self.stage == "cold":
                self.stage = "loading"
                threading.Thread(target=self._run, name="lab", daemon=True).start()

    def ask(self, task: Task, reader: str, tab: str = "") -> Future:
        """Queue a task, and load the model if the answer is not remembered."""
        with self.changed:
            future = super().ask(task, reader, tab)
            if not future.done():
                self.wake()
            return future

    # -- in a thread of its own ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        """Restart the process until one exits by itself."""
        stopped = True
        while stopped:
            self.stage = "loading"
            with started(self.command) as process:
                stopped = self._answer(process)

    def _answer(self, process: subprocess.Popen) -> bool:
        """Serve tickets with a process until it crashes (True), has no model or is idle (False)."""
        try:
            kind, content = receive(process.stdout)
        except (EOFError, ValueError):
            kind, content = "refused", BROKEN
        if kind != "ready":
            self._leave(content)
            return False
        self.stage = "ready"
        while True:
            with self.changed:
                ticket = self.next(self.idle)
                if ticket is None:
                    self._leave()
                    return False
            try:
                send(process.stdin, *ticket.task)
                kind, content = receive(process.stdout)
            except Exception:  # no answer: fail the ticket and start a new process
                LOG.exception("the lab's process gave no answer")
                ticket.future.set_exception(UserError(STOPPED))
                return True
            if kind == "answer":
                self.answer(content)
            else:
                ticket.future.set_exception(RuntimeError(content) if kind == "failed" else UserError(content))

    def _leave(self, reason: str = "") -> None:
        """Stop serving and fail all waiting tickets with the reason."""
        with self.changed:
            waiting, self.waiting, self.running, self.stage = self.waiting, [], None, "cold"
        for ticket in waiting:
            if ticket.future.set_running_or_notify_cancel():
                ticket.future.set_exception(UserError(reason))


_WARM_MODEL = WarmModel()
state = _WARM_MODEL.state
count_ahead, seconds_for, wake = _WARM_MODEL.count_ahead, _WARM_MODEL.seconds_for, _WARM_MODEL.wake


def ask(kind: TaskKind, request: Question | Talk, layer: int | None, reader: str, tab: str) -> Future:
    """Queue a question: `row` and `lens` are about one layer, `scene` about all, `talk` gives the next chunk of a text.

    Errors are raised by the future.
    """
    return _WARM_MODEL.ask(Task(kind, request, layer, f"{reader} {tab}" if kind == "talk" else ""), reader, tab)
