"""The model that is kept warm for the lab: one process for all readers, which answers one question at a time. No torch.

Rows come before scenes, scenes before texts; among these the reader comes first who was answered longest ago. A new
question takes the place of the same reader's older one of its kind. Who asks what somebody else waits for waits with
them. The process starts with the first question, leaves after ten minutes without one, and ends with this process.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal, NamedTuple

from core.jobs.queue import IDLE, PROJECT
from core.specs.errors import UserError
from core.specs.lab import Prompt, Question, check_layer
from core.store.scenes import Generated, Row, Scene

State = Literal["cold", "loading", "ready"]
COMMAND = (sys.executable, "-m", "core.jobs.warm_process", "demo")
KEPT = 64  # answers
STOPPED = "the lab's model stopped while it worked on this, perhaps for want of memory: ask again"
BROKEN = "the lab's model could not be started: see the terminal that the dashboard runs in"
# threads that wait give their core away, so that a run beside it goes on; libraries draw no bars
SURROUNDINGS = {"OMP_WAIT_POLICY": "passive", "TQDM_DISABLE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


class Task(NamedTuple):
    """What is asked; equal tasks have equal answers."""

    kind: Literal["row", "scene", "text"]
    asked: Question | Prompt
    layer: int | None = None

    @property
    def rank(self) -> int:
        return ("row", "scene", "text").index(self.kind)


@dataclass(eq=False)
class Waiting:
    """A task that somebody waits for."""

    task: Task
    number: int  # in the order of asking
    readers: set[str]
    future: Future = field(default_factory=Future)


class Warm:
    """A process that answers, and who waits for it."""

    def __init__(self, command: Sequence[str] = COMMAND, idle: float = IDLE):
        """idle: seconds without a question after which the process leaves."""
        self.command, self.idle = command, idle
        self.changed = threading.Condition()  # guards everything below
        self.waiting: list[Waiting] = []
        self.running: Waiting | None = None
        self.answers: OrderedDict[Task, Any] = OrderedDict()
        self.served: dict[str, int] = {}  # reader -> number of the last answer they got
        self.numbers = count(1)
        self.serving = False  # whether a thread looks after the questions
        self.stage: State = "cold"

    def state(self) -> State:
        """Whether the model is in memory, on its way there, or neither."""
        return self.stage

    def wake(self) -> None:
        """Load the model, if it is not there, before anybody asks."""
        with self.changed:
            self._serve()

    def ask(self, task: Task, reader: str) -> Future:
        """The future of a task's answer; it is cancelled when the reader, if nobody else waits too, asks another."""
        with self.changed:
            known = [each for each in self._open() if each.task == task]
            self._supersede(task, reader)
            if task in self.answers:
                self.answers.move_to_end(task)
                return _done(self.answers[task])
            if known:
                known[0].readers.add(reader)
                return known[0].future
            new = Waiting(task, next(self.numbers), {reader})
            self.waiting.append(new)
            self._serve()
            self.changed.notify_all()
            return new.future

    def ahead(self, future: Future) -> int:
        """How many questions are answered before this one, the running one included; 0 once it runs or is answered."""
        with self.changed:
            order = sorted(self.waiting, key=self._turn)
            place = next((index for index, each in enumerate(order) if each.future is future), None)
            return 0 if place is None else place + (self.running is not None)

    # -- with the lock held -------------------------------------------------------------------------------------------

    def _open(self) -> list[Waiting]:
        """Whatever is not answered yet and nobody has cancelled."""
        return [each for each in (self.running, *self.waiting) if each and not each.future.cancelled()]

    def _turn(self, one: Waiting) -> tuple[int, int, int]:
        return one.task.rank, min(self.served.get(reader, 0) for reader in one.readers), one.number

    def _supersede(self, task: Task, reader: str) -> None:
        for old in [each for each in self.waiting if each.task.kind == task.kind and each.task != task]:
            old.readers.discard(reader)
            if not old.readers:
                self.waiting.remove(old)
                old.future.cancel()

    def _serve(self) -> None:
        if not self.serving:
            self.serving, self.stage = True, "loading"
            threading.Thread(target=self._run, name="lab", daemon=True).start()

    def _next(self) -> Waiting | None:
        """Whose turn it is, waiting for somebody to ask; None where nobody does for long."""
        while not self.waiting:
            if not self.changed.wait(self.idle) and not self.waiting:
                return None
        one = min(self.waiting, key=self._turn)
        self.waiting.remove(one)
        self.served |= dict.fromkeys(one.readers, next(self.numbers))
        return one

    # -- in a thread of its own ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        """Start the process and hand it one task after the other; a process that stopped is started anew."""
        stopped = True
        while stopped:
            process = self._started()
            if process is None:
                return
            try:
                stopped = self._answer(process)
            finally:
                _end(process)

    def _started(self) -> subprocess.Popen | None:
        """A process that has its model; None where it cannot have it, which everybody who waits is told."""
        self.stage = "loading"
        process, (kind, told) = _begin(self.command)
        if kind == "ready":
            self.stage = "ready"
            return process
        with self.changed:
            waiting, self.waiting = self.waiting, []
            self._leave()
        for one in waiting:
            if one.future.set_running_or_notify_cancel():
                one.future.set_exception(UserError(told))
        return None

    def _answer(self, process: subprocess.Popen) -> bool:
        """Answer until nobody asks, False, or the process has stopped, True."""
        while True:
            with self.changed:
                one = self.running = self._next()
                if one is None:
                    self._leave()
                    return False
            if not one.future.set_running_or_notify_cancel():
                continue
            try:
                pickle.dump(one.task, process.stdin)
                process.stdin.flush()
                kind, told = pickle.load(process.stdout)
            except Exception:  # whatever came is no answer, and the process no longer to be trusted
                kind, told = "stopped", STOPPED
            with self.changed:
                self.running = None
                if kind == "answer":
                    self._keep(one.task, told)
            one.future.set_result(told) if kind == "answer" else one.future.set_exception(_error(kind, told))
            if kind == "stopped":
                return True

    def _leave(self) -> None:
        self.serving, self.stage, self.running = False, "cold", None
        self.served.clear()

    def _keep(self, task: Task, answer: Any) -> None:
        self.answers[task] = answer
        while len(self.answers) > KEPT:
            self.answers.popitem(last=False)


def _error(kind: str, told: str) -> Exception:
    return RuntimeError(told) if kind == "failed" else UserError(told)


def _done(answer: Any) -> Future:
    future: Future = Future()
    future.set_result(answer)
    return future


def _begin(command: Sequence[str]) -> tuple[subprocess.Popen | None, tuple[str, str | None]]:
    """A process and what it says when it has its model, or cannot have it: then it has left."""
    process = None
    try:
        process = subprocess.Popen(
            command, cwd=PROJECT, env={**os.environ, **SURROUNDINGS}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        said = pickle.load(process.stdout)
    except (EOFError, OSError, pickle.UnpicklingError):
        said = "refused", BROKEN
    if process and said[0] != "ready":
        _end(process)
    return process, said


def _end(process: subprocess.Popen) -> None:
    """Have a process leave: it does when nothing can be asked any more."""
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
