"""Bounds on what untrusted tasks may hold: extents of their data files, and templates rendered in another process.

A template may count without end, search with a regular expression that backtracks, or write gigabytes: a process that
does not answer soon, or takes much memory, is ended, on every system.
"""

import csv
import faulthandler
import json
import re
import subprocess
import sys
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from time import monotonic
from types import SimpleNamespace
from typing import Any, NoReturn

from jinja2 import BaseLoader, StrictUndefined, Template, TemplateError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from core.base import PROJECT, Fields

SECONDS, ALLOWANCE = 5, 300  # limits of one rendering, and of a task in all
MEMORY = 2**30  # bytes of the process, on systems that can limit it
LONGEST, MOST_WRITTEN = 2**18, 2**28  # characters of one rendering, and of a task in all
MOMENT = "\0moment"  # key that marks a datetime, which data may hold and JSON cannot write


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, where access to code or a change of a value raises `SecurityError` at once.

    Jinja itself would let `default` and `is defined` pass over it.
    """

    def unsafe_undefined(self, obj: Any, attribute: str) -> NoReturn:
        raise SecurityError(f"{attribute} of {type(obj).__name__}")


class Renderer:
    """Replaces lm-eval's Jinja environment; renders templates in the other process."""

    def __init__(self):
        self._other = None  # the process, started on first use
        self.begin()

    def begin(self) -> None:
        """Reset the allowances for a new task."""
        self.seconds, self.characters = float(ALLOWANCE), MOST_WRITTEN

    def from_string(self, template: str) -> SimpleNamespace:
        return SimpleNamespace(render=partial(self.render, template))

    def render(self, template: str, /, **values: Any) -> str:
        """Render a template in the other process.

        Raises:
            SecurityError, TemplateError: the template is wrong, reaches for code, or takes or writes too much.
        """
        began = monotonic()
        if self._other is None or self._other.poll() is not None:
            self._other = subprocess.Popen(
                [sys.executable, "-m", __name__, str(SECONDS)], cwd=PROJECT,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        try:
            request = json.dumps((template, values), default=lambda moment: {MOMENT: moment.isoformat()})
            self._other.stdin.write(f"{request}\n".encode())
            self._other.stdin.flush()
            text, wrong, of_security = json.loads(self._other.stdout.readline())
        except (OSError, json.JSONDecodeError):  # it has ended
            self._other.wait()
            raise TemplateError(f"a template takes over {SECONDS} s or {MEMORY / 2**30:g} GiB of memory") from None
        if wrong is not None:
            raise (SecurityError if of_security else TemplateError)(wrong)
        self.seconds -= monotonic() - began
        self.characters -= len(text)
        if min(self.seconds, self.characters) < 0:
            raise TemplateError(f"templates of a task take over {ALLOWANCE} s or write over {MOST_WRITTEN:,} signs")
        return text


def _undated(fields: Fields) -> Any:
    return datetime.fromisoformat(fields[MOMENT]) if fields.keys() == {MOMENT} else fields


# --- data files -------------------------------------------------------------------------------------------------------

SIGNS = re.compile(rb'"((?:[^"\\]++|\\.)*+)"?(\s*:)?|[][{}]', re.DOTALL)  # of JSON; possessive: no backtracking


def table_extent(path: Path, delimiter: str | None) -> tuple[int, int, int]:
    """No brackets, the number of columns, and the number of rows of a CSV file."""
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        widths = [len(row) for row in csv.reader(file, delimiter=delimiter or ",")]
    return 0, max(widths, default=0), len(widths)


def json_extent(path: Path) -> tuple[int, int, int]:
    """Deepest nesting of a JSON file, its number of different keys, and its number of lists and objects."""
    keys, brackets, deepest, depth = set(), 0, 0, 0
    for sign in SIGNS.finditer(path.read_bytes()):
        if sign[2]:
            keys.add(sign[1])
        elif sign[0] in b"[{":
            brackets, depth = brackets + 1, depth + 1
            deepest = max(deepest, depth)
        elif sign[0] in b"]}":
            depth -= 1
    return deepest, len(keys), brackets


# --- the other process ---------------------------------------------------------------------------------------------


@cache
def _compiled(template: str) -> Template:
    """Compile a template in the sandbox, with the settings of lm-eval's own environment."""
    sandbox = Sandbox(loader=BaseLoader(), undefined=StrictUndefined, keep_trailing_newline=True)
    sandbox.filters["regex_replace"] = lambda text, pattern, by, count=0: re.sub(pattern, by, text, count=count)
    return sandbox.from_string(template)


def _answer(template: str, values: Fields) -> tuple[str | None, str | None, bool]:
    """Rendered text, or an error, and True if the template reached for code."""
    try:
        text = _compiled(template).render(**values)
        text.encode()  # half of a surrogate pair is no text
    except Exception as error:  # anything an untrusted template makes Jinja raise, RecursionError among others
        return None, str(error) or type(error).__name__, isinstance(error, SecurityError)
    if len(text) > LONGEST:
        return None, f"a template writes {len(text):,} characters, more than {LONGEST:,}", False
    return text, None, False


if __name__ == "__main__":  # serve until stdin closes
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for line in sys.stdin.buffer:
        call = json.loads(line, object_hook=_undated)
        faulthandler.dump_traceback_later(float(sys.argv[1]), exit=True)  # from a thread that needs no lock of Python
        answer = json.dumps(_answer(*call))
        faulthandler.cancel_dump_traceback_later()
        print(answer, flush=True)
