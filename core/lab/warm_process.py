"""The process behind `core.lab.scheduler`: it loads its model, then answers one task after the other until nobody can ask.

Tasks come on the standard input, answers go to the standard output: a line of JSON a message. Nothing is pickled.
"""

import gc
import json
import os
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, BinaryIO, Literal, NamedTuple

from core.base import Fields, Spec, UserError
from core.requests import OfModel
from core.requests.lab import Question, Talk
from core.store.scenes import Chunk, Lens, Row, Scene

DONE = object()
QUIET = 0.3  # seconds without a task before a step ahead: who is being answered in chunks asks again sooner
Kind = Literal["row", "lens", "scene", "talk"]
FORMS = {form.__name__: form for form in (Question, Talk, Row, Lens, Scene, Chunk)}


class Task(NamedTuple):
    """A piece of work; equal tasks have equal answers."""

    kind: Kind
    asked: Question | Talk
    layer: int | None = None
    listener: str = ""  # whose talk goes on


def send(stream: BinaryIO, *message: object) -> None:
    """Write a message: texts, numbers, None, and specs by their class and JSON."""
    stream.write(json.dumps(message, default=_plain).encode() + b"\n")
    stream.flush()


def receive(stream: BinaryIO) -> list[Any]:
    """The next message as it was sent.

    Raises:
        EOFError: the other side is gone.
        ValueError: what came is no message.
    """
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    return [_formed(each) for each in json.loads(line)]


def _plain(part: Spec) -> Fields:
    return {type(part).__name__: part.model_dump(mode="json")}


def _formed(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    [(name, fields)] = part.items()
    return FORMS[name].model_validate(fields)


def serve(prepare: Callable[[], "Desk"]) -> None:
    """Answer tasks by the desk that `prepare` gives, and go steps ahead meanwhile, until the other side is gone."""
    asked, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    try:
        desk = prepare()
    except UserError as error:
        return send(answers, "refused", str(error))
    send(answers, "ready", None)
    tasks = SimpleQueue()
    threading.Thread(target=_listen, args=[asked, tasks], daemon=True).start()
    more = True
    with suppress(BrokenPipeError):
        while True:
            try:
                task = tasks.get(timeout=QUIET if more else None)
            except Empty:
                more = _outcome(desk.step) == ("answer", True)
                continue
            if task is None:
                return None
            send(answers, *_outcome(partial(desk.answer, task)))


def _listen(asked: BinaryIO, tasks: SimpleQueue[Task | None]) -> None:
    """Pass on every task that is asked, and None at the end."""
    with suppress(EOFError):
        while True:
            tasks.put(Task(*receive(asked)))
    tasks.put(None)


def _outcome(work: Callable[[], Any]) -> tuple[str, Any]:
    """How a piece of work went: `answer` and its content, or `refused` or `failed` and a sentence."""
    try:
        return "answer", work()
    except UserError as error:
        return "refused", str(error)
    except Exception as error:
        traceback.print_exc()
        return "failed", f"{type(error).__name__}: {error}"


class Desk:
    """Answers with the last model that was asked of."""

    def __init__(self, model: str):
        from core.jobs.context import WorkContext
        from core.models.placement import device
        from core.models.progress import silent
        from core.store.cache import Store

        self.bench = WorkContext(Store(), device("cpu"), silent, {})
        self.loaded = None
        self._at(OfModel(model=model))

    def _at(self, model: OfModel) -> None:
        from core.lab.answers import Lab
        from core.lab.continuation import Talker
        from core.models.placement import streamed

        loaded = self.bench.load(model)
        if streamed(loaded.layers):
            raise UserError(f"{loaded.source.label} is larger than the memory here: the lab needs a smaller model")
        if loaded is not self.loaded:
            self.loaded, self.lab = loaded, Lab(loaded)
            self.talker = Talker(loaded, self.lab.masks)
            self.steps = self.lab.ahead()

    def step(self) -> bool:
        """Prepare a little of what may be asked; whether more remains."""
        return next(self.steps, DONE) is not DONE

    def answer(self, task: Task) -> Row | Lens | Scene | Chunk:
        """A row, a lens, a scene or a chunk of a talk.

        Raises:
            UserError: what is asked cannot be.
        """
        asked = task.asked
        self._at(OfModel(model=asked.model))
        match task.kind:
            case "talk":
                return self.talker.go_on(asked, task.listener)
            case "scene":
                return self.lab.scene(asked)
        return getattr(self.lab, task.kind)(asked, task.layer)


if __name__ == "__main__":
    gc.set_threshold(100_000, 50, 100)  # see core/__main__.py
    serve(lambda: Desk(sys.argv[1]))
