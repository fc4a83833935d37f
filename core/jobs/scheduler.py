"""The order in which the warm model answers, who waits for what, and the answers that are kept."""

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
    """A piece of work; equal tasks have equal answers, but for a step ahead, which nobody waits for."""

    kind: Literal["row", "scene", "text", "ahead"]
    asked: Question | Prompt | None = None
    layer: int | None = None

    @property
    def rank(self) -> int:
        """Rows come before scenes, scenes before texts."""
        return ("row", "scene", "text").index(self.kind)


@dataclass(eq=False)
class Ticket:
    """A task that somebody waits for."""

    task: Task
    number: int  # in the order of asking
    readers: set[str]
    future: Future = field(default_factory=Future)


class Scheduler:
    """Tickets in the order in which they are answered, safe for many threads.

    Of one kind the reader comes first who was answered longest ago. A new question takes the place of the same reader's
    older one of its kind; who asks what somebody else waits for waits with them.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())  # guards everything below
        self.waiting: list[Ticket] = []
        self.running: Ticket | None = None
        self.answers: OrderedDict[Task, Any] = OrderedDict()
        self.served: dict[str, int] = {}  # reader -> number of their last turn
        self.numbers = count(1)

    def ask(self, task: Task, reader: str) -> Future:
        """The future of a task's answer; it is cancelled when the reader, if nobody else waits too, asks another."""
        with self.changed:
            self._supersede(task, reader)
            if task in self.answers:
                self.answers.move_to_end(task)
                known: Future = Future()
                known.set_result(self.answers[task])
                return known
            tickets = (each for each in (self.running, *self.waiting) if each and not each.future.done())
            ticket = next((each for each in tickets if each.task == task), None)
            if ticket is None:
                ticket = Ticket(task, next(self.numbers), set())
                self.waiting.append(ticket)
                self.changed.notify_all()
            ticket.readers.add(reader)
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
                self.running = self._first()
            return self.running

    def keep(self, answer: Any) -> None:
        """Keep the answer of the running task."""
        with self.changed:
            self.answers[self.running.task] = answer
            while len(self.answers) > KEPT:
                self.answers.popitem(last=False)

    def clear(self) -> list[Ticket]:
        """Forget all tickets; those that somebody still waits for."""
        with self.changed:
            waiting, self.waiting, self.running = self.waiting, [], None
            self.served.clear()
            return [each for each in waiting if each.future.set_running_or_notify_cancel()]

    # -- with the lock held -------------------------------------------------------------------------------------------

    def _turn(self, ticket: Ticket) -> tuple[int, int, int]:
        return ticket.task.rank, min(self.served.get(reader, 0) for reader in ticket.readers), ticket.number

    def _first(self) -> Ticket | None:
        """The first in turn, unless nobody waits or it was cancelled."""
        if not self.waiting:
            return None
        ticket = min(self.waiting, key=self._turn)
        self.waiting.remove(ticket)
        self.served |= dict.fromkeys(ticket.readers, next(self.numbers))
        return ticket if ticket.future.set_running_or_notify_cancel() else None

    def _supersede(self, task: Task, reader: str) -> None:
        for old in [each for each in self.waiting if each.task.kind == task.kind and each.task != task]:
            old.readers.discard(reader)
            if not old.readers:
                self.waiting.remove(old)
                old.future.cancel()
