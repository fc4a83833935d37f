"""The process behind `core.lab.scheduler`: loads its model, then answers tasks one by one until its input closes.

Tasks arrive on standard input, answers leave on standard output, one line of JSON a message. Nothing is pickled.
"""

import gc
import json
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, BinaryIO, Protocol

from core import ENVIRONMENT
from core.base import PROJECT, Fields, Spec, UserError
from core.requests import Question, Talk, Task
from core.store import Chunk, Lens, Scene, SceneRow

PREFETCH_AFTER = 0.3  # seconds without a task; a reader who is answered in chunks asks again sooner
MESSAGE_TYPES = {form.__name__: form for form in (Question, Talk, SceneRow, Lens, Scene, Chunk)}


@contextmanager
def started(command: Sequence[str]) -> Iterator[subprocess.Popen]:
    """A process that serves, until the end of the block: nothing of it is needed then."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen(command, cwd=PROJECT, env=os.environ | ENVIRONMENT, **pipes)
    with suppress(BrokenPipeError), process:  # what it never read
        try:
            yield process
        finally:
            process.kill()


class Server(Protocol):
    """A model that answers tasks."""

    def answer(self, task: Task) -> SceneRow | Lens | Scene | Chunk: ...

    def prefetch(self) -> bool: ...


def send(stream: BinaryIO, *message: object) -> None:
    """Write a message of texts, numbers, None and specs (class name and JSON)."""
    stream.write(json.dumps(message, default=_to_json).encode() + b"\n")
    stream.flush()


def receive(stream: BinaryIO) -> list[Any]:
    """Read the next message.

    Raises:
        EOFError: the other side closed.
        ValueError: not a message.
    """
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    return [_from_json(each) for each in json.loads(line)]


def _to_json(part: Spec) -> Fields:
    return {type(part).__name__: part.model_dump(mode="json")}


def _from_json(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    [(name, fields)] = part.items()
    return MESSAGE_TYPES[name].model_validate(fields)


def serve(prepare: Callable[[], Server]) -> None:
    """Answer tasks with the server that `prepare` returns, prefetching when idle, until the other side closes."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # libraries print to stderr, not among the answers
    try:
        server = prepare()
    except UserError as error:
        return send(answers, "refused", str(error))
    send(answers, "ready", None)
    tasks = SimpleQueue()
    threading.Thread(target=_listen, args=[requests, tasks], daemon=True).start()
    more = True
    with suppress(BrokenPipeError):
        while True:
            try:
                task = tasks.get(timeout=PREFETCH_AFTER if more else None)
            except Empty:
                more = _outcome(server.prefetch) == ("answer", True)
                continue
            if task is None:
                return None
            send(answers, *_outcome(partial(server.answer, task)))


def _listen(requests: BinaryIO, tasks: SimpleQueue[Task | None]) -> None:
    """Queue every task that arrives, and None at the end."""
    with suppress(EOFError):
        while True:
            tasks.put(Task(*receive(requests)))
    tasks.put(None)


def _outcome(work: Callable[[], Any]) -> tuple[str, Any]:
    """Run some work: `answer` and its value, or `refused` or `failed` and a sentence."""
    try:
        return "answer", work()
    except UserError as error:
        return "refused", str(error)
    except Exception as error:
        traceback.print_exc()
        return "failed", f"{type(error).__name__}: {error}"


def _prepare() -> Server:
    from core.lab.answers import ModelServer

    return ModelServer(sys.argv[1])


if __name__ == "__main__":
    gc.set_threshold(100_000, 50, 100)  # see core/__main__.py
    serve(_prepare)
