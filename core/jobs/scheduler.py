"""The order in which the warm model answers, who waits for what, and the answers that are kept."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from core.ask.lab import Prompt, Question

KEPT = 64  # answers
RANK = {"row": 0, "scene": 1, "text": 2}  # the lowest is answered first


class Task(NamedTuple):
    """A piece of work; equal tasks have equal answers."""

    kind: Literal["row", "scene", "text"]
    asked: Question | Prompt
    layer: int | None = None


@dataclass(eq=False)
class Ticket:
    """A task that a tab of a reader waits for."""

    task: Task
    reader: str
    tab: str
    future: Future = field(default_factory=Future)
    passed: dict[str, str] = field(default_factory=dict)  # other reader -> their tab that had a turn meanwhile


class Scheduler:
    """Tickets in the order in which they are answered, safe for many threads.

    Of one kind the reader comes first who was answered longest ago, and of a reader's tabs the one that was. Nobody
    waits for a second tab of another reader: many tabs delay others no more than one. A new question takes the place of
    the same tab's older one of its kind.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())  # guards everything below
        self.waiting: list[Ticket] = []  # in the order of asking
        self.running: Ticket | None = None
        self.answers: OrderedDict[Task, Any] = OrderedDict()
        self.served: dict[tuple[str, ...], float] = {}  # reader, or reader and tab -> time of their last turn

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
                if not self.waiting and not self.changed.wait(seconds) and not self.waiting:
                    return None
                ticket = min(self.waiting, key=self._turn)
                self.waiting.remove(ticket)
                if ticket.future.set_running_or_notify_cancel() and not self._known(ticket):
                    self.running = ticket
                    self._served(ticket)
            return self.running

    def keep(self, answer: Any) -> None:
        """Answer the running task, and keep that."""
        with self.changed:
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

    def _served(self, ticket: Ticket) -> None:
        """Note whose turn it is."""
        reader, tab = ticket.reader, ticket.tab
        self.served[reader,] = self.served[reader, tab] = time.monotonic()
        for each in self.waiting:
            if each.reader != reader:
                each.passed.setdefault(reader, tab)

    def _turn(self, ticket: Ticket) -> tuple[bool, int, float, float]:
        reader, tab = ticket.reader, ticket.tab
        second = any(each.passed.get(reader, tab) != tab for each in self.waiting)
        last = (self.served.get(whose, 0.0) for whose in ((reader,), (reader, tab)))
        return second, RANK[ticket.task.kind], *last

    def _known(self, ticket: Ticket) -> bool:
        """Answer a ticket by what is kept, if that is there."""
        known = ticket.task in self.answers
        if known:
            self.answers.move_to_end(ticket.task)
            ticket.future.set_result(self.answers[ticket.task])
        return known
