"""Whose question is answered next: what is asked of the warm model, who waits for it, and the answers that are kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal, NamedTuple

from core.ask.lab import Prompt, Question

KEPT = 64  # answers


class Task(NamedTuple):
    """What is asked; equal tasks have equal answers, but for a step ahead, which nobody waits for."""

    kind: Literal["row", "scene", "text", "ahead"]
    asked: Question | Prompt | None = None
    layer: int | None = None

    @property
    def rank(self) -> int:
        """Rows come before scenes, scenes before texts."""
        return ("row", "scene", "text").index(self.kind)


@dataclass(eq=False)
class Waiting:
    """A task that somebody waits for."""

    task: Task
    number: int  # in the order of asking
    readers: set[str]
    future: Future = field(default_factory=Future)


class Turns:
    """Questions in the order in which they are answered, safe for many threads.

    Of one kind the reader comes first who was answered longest ago. A new question takes the place of the same reader's
    older one of its kind; who asks what somebody else waits for waits with them.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())  # guards everything below
        self.waiting: list[Waiting] = []
        self.running: Waiting | None = None
        self.answers: OrderedDict[Task, Any] = OrderedDict()
        self.served: dict[str, int] = {}  # reader -> number of their last turn
        self.numbers = count(1)

    def ask(self, task: Task, reader: str) -> Future:
        """The future of a task's answer; it is cancelled when the reader, if nobody else waits too, asks another."""
        with self.changed:
            self._supersede(task, reader)
            if task in self.answers:
                self.answers.move_to_end(task)
                return _done(self.answers[task])
            known = next((each for each in self._open() if each.task == task), None)
            if known is None:
                known = Waiting(task, next(self.numbers), set())
                self.waiting.append(known)
                self.changed.notify_all()
            known.readers.add(reader)
            return known.future

    def ahead(self, future: Future) -> int:
        """How many questions are answered before this one, the running one included; 0 once it runs or is answered."""
        with self.changed:
            order = sorted(self.waiting, key=self._turn)
            place = next((index for index, each in enumerate(order) if each.future is future), None)
            return 0 if place is None else place + (self.running is not None)

    def next(self, seconds: float) -> Waiting | None:
        """Whose turn it is, once somebody asks; None where nobody does for so long."""
        with self.changed:
            self.running = None
            while self.running is None:
                if not self.waiting and not self.changed.wait(seconds) and not self.waiting:
                    return None
                self.running = self._taken()
            return self.running

    def answered(self, answer: Any) -> None:
        """Keep the answer of the running task."""
        with self.changed:
            self.answers[self.running.task] = answer
            while len(self.answers) > KEPT:
                self.answers.popitem(last=False)

    def emptied(self) -> list[Waiting]:
        """Everybody who waits, who then does no longer."""
        with self.changed:
            waiting, self.waiting, self.running = self.waiting, [], None
            self.served.clear()
            return [each for each in waiting if each.future.set_running_or_notify_cancel()]

    # -- with the lock held -------------------------------------------------------------------------------------------

    def _open(self) -> list[Waiting]:
        """Whatever is not answered yet and nobody has cancelled."""
        asked = (self.running, *self.waiting)
        return [each for each in asked if each and not each.future.done()]

    def _turn(self, one: Waiting) -> tuple[int, int, int]:
        return one.task.rank, min(self.served.get(reader, 0) for reader in one.readers), one.number

    def _taken(self) -> Waiting | None:
        """The first in turn, unless nobody waits or it was cancelled."""
        if not self.waiting:
            return None
        one = min(self.waiting, key=self._turn)
        self.waiting.remove(one)
        self.served |= dict.fromkeys(one.readers, next(self.numbers))
        return one if one.future.set_running_or_notify_cancel() else None

    def _supersede(self, task: Task, reader: str) -> None:
        for old in [each for each in self.waiting if each.task.kind == task.kind and each.task != task]:
            old.readers.discard(reader)
            if not old.readers:
                self.waiting.remove(old)
                old.future.cancel()


def _done(answer: Any) -> Future:
    future: Future = Future()
    future.set_result(answer)
    return future
