"""Command lines read back as what they ask, without running them."""

import shlex
from types import SimpleNamespace

import typer

from core.cli import app
from core.requests import request_of

HEAVY = ("measure", "compare", "evaluate", "anchors", "prune", "best")  # load the model: a minute or more on two cores


def options_of(line):
    """The command and the values of its options."""
    words = shlex.split(line)
    assert words[:3] == ["python", "-m", "core"]
    command = typer.main.get_command(app).commands[words[3]]
    return words[3], SimpleNamespace(**command.make_context(words[3], words[4:]).params)


def request_of_line(line):
    """The request that a line makes."""
    name, values = options_of(line)
    return request_of(name, **vars(values))
