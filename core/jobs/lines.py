"""What the warm model's two ends say to each other: a line of JSON a message. Nothing is pickled."""

from __future__ import annotations

import json
from typing import Any, BinaryIO

from core.ask.lab import Prompt, Question
from core.base.spec import Spec
from core.store.scenes import Generated, Row, Scene

FORMS = {form.__name__: form for form in (Question, Prompt, Row, Scene, Generated)}


def send(stream: BinaryIO, *said: object) -> None:
    """Write a message: texts, numbers, None, and what is asked and answered."""
    stream.write(json.dumps([_plain(each) for each in said]).encode() + b"\n")
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


def _plain(said: object) -> object:
    return {type(said).__name__: said.model_dump(mode="json")} if isinstance(said, Spec) else said


def _formed(said: object) -> object:
    if not isinstance(said, dict):
        return said
    [(name, fields)] = said.items()
    return FORMS[name].model_validate(fields)
