"""The command line: `python -m core measure`, `show`, `allocate`, `prune`, `evaluate`, `study`, `best` and so on.

Exit 0: done. 1: failed or cancelled. 2: a bad request, with one line on stderr: what was wrong, what would be right.
With --json, stdout holds one JSON object and nothing else.
"""

import sys
from typing import Any

import typer

from core.base import UserError, for_reader, shortage
from core.cli import allocations, evaluations, measurements, runs, server  # each registers its commands
from core.cli.terminal import app
from core.models import Cancelled

INTERRUPTED = 130  # what typer returns for Ctrl-C, which it keeps to itself
# typer brings its own click: its base exception is reached through the one that typer exports
UsageTrouble: Any = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        result = app(sys.argv[1:] or ["--help"] if arguments is None else arguments, standalone_mode=False)
        if result == INTERRUPTED:
            raise KeyboardInterrupt
        return result if isinstance(result, int) else 0
    except UserError as error:
        return _fail(str(error), 2)
    except UsageTrouble as error:
        return _fail(error.format_message().rstrip("."), 2)
    except (Cancelled, typer.Abort, KeyboardInterrupt):
        return _fail("cancelled: what is finished is kept, and the same command goes on from there", 1)
    except Exception as error:
        message = shortage(error)
        if message is None:
            raise
        return _fail(message, 1)


def _fail(message: str, code: int) -> int:
    print(for_reader(" ".join(message.split())), file=sys.stderr)
    return code
