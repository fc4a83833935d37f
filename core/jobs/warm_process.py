"""The process behind `core.jobs.warm`: it loads its model, then answers one task after the other until nobody can ask.

Tasks come on the standard input, answers go to the standard output: a line of JSON a message. Nothing is pickled.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO

from core.ask.inputs import OfModel
from core.ask.lab import Prompt, Question
from core.base.errors import UserError
from core.base.spec import Spec
from core.jobs.scheduler import Task
from core.store.scenes import Generated, Row, Scene

Answer = Callable[[Task], Any]
DONE = object()
FORMS = {form.__name__: form for form in (Question, Prompt, Row, Scene, Generated)}


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


def _plain(part: Spec) -> dict[str, Any]:
    return {type(part).__name__: part.model_dump(mode="json")}


def _formed(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    [(name, fields)] = part.items()
    return FORMS[name].model_validate(fields)


def serve(prepare: Callable[[], Answer]) -> None:
    """Answer tasks by the function that `prepare` gives, until the other side is gone."""
    tasks, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    try:
        answer = prepare()
    except UserError as error:
        return send(answers, "refused", str(error))
    send(answers, "ready", None)
    with suppress(EOFError, BrokenPipeError):
        while True:
            send(answers, *_outcome(answer, Task(*receive(tasks))))


def _outcome(answer: Answer, task: Task) -> tuple[str, Any]:
    """How a task went: `answer` and its content, or `refused` or `failed` and a sentence."""
    try:
        return "answer", answer(task)
    except UserError as error:
        return "refused", str(error)
    except Exception as error:
        traceback.print_exc()
        return "failed", f"{type(error).__name__}: {error}"


class Desk:
    """Answers with the last model that was asked of."""

    def __init__(self, model: str):
        from core.jobs.bench import Bench
        from core.models.placement import device
        from core.models.progress import silent
        from core.store.cache import Store

        self.bench = Bench(Store(), device("cpu"), silent, {})
        self.loaded = None
        self._at(OfModel(model=model))

    def _at(self, model: OfModel) -> None:
        from core.evaluate.writing import Writer
        from core.measure.answers import Lab
        from core.models.placement import streamed

        loaded = self.bench.load(model)
        if streamed(loaded.layers):
            raise UserError(f"{loaded.source.label} is larger than the memory here: the lab needs a smaller model")
        if loaded is not self.loaded:
            self.loaded, self.lab = loaded, Lab(loaded)
            self.writer = Writer(loaded, self.bench.store, self.lab.masks)
            self.steps = self.lab.ahead()

    def answer(self, task: Task) -> Row | Scene | Generated | bool:
        """A row, a scene or a text; after a step ahead whether there is another.

        Raises:
            UserError: what is asked cannot be.
        """
        if task.kind == "ahead":
            return next(self.steps, DONE) is not DONE
        self._at(task.asked.of_model)
        if task.kind == "row":
            return self.lab.row(task.asked, task.layer)
        return self.lab.scene(task.asked) if task.kind == "scene" else self.writer.write(task.asked)


if __name__ == "__main__":
    gc.set_threshold(100_000, 50, 100)  # see core/__main__.py
    serve(lambda: Desk(sys.argv[1]).answer)
