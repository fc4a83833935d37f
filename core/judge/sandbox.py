"""A place where templates of strangers are rendered and run no code: a process of its own, with bounds.

A template may count without end, search with a regular expression that backtracks, or write gigabytes: whatever does
not answer soon, or takes much memory, is ended with its process, on every system.
"""

import faulthandler
import json
import re
import subprocess
import sys
from datetime import datetime
from functools import cache, partial
from time import monotonic
from types import SimpleNamespace
from typing import Any, NoReturn

from jinja2 import BaseLoader, StrictUndefined, Template, TemplateError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from core.base import PROJECT, Fields

SECONDS, ALLOWANCE = 5, 300  # that a template may take once, and those of a task in all
MEMORY = 2**30  # bytes that its process may take, where the system can say so
LONGEST, MOST_WRITTEN = 2**18, 2**28  # characters that a template may write once, and those of a task in all
MOMENT = "\0moment"  # the key of one, which data may hold and JSON cannot say


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's own sandbox, where what leads to code or changes a value is a `SecurityError` at once.

    Jinja itself would let `default` and `is defined` pass over it.
    """

    def unsafe_undefined(self, obj: Any, attribute: str) -> NoReturn:
        raise SecurityError(f"{attribute} of {type(obj).__name__}")


class Renderer:
    """Stands where lm-eval has its Jinja environment, and has templates rendered in the other process."""

    def __init__(self):
        self._other = None  # the process, once it is needed
        self.begin()

    def begin(self) -> None:
        """A new task begins: it may take as long, and write as much, as any."""
        self.seconds, self.characters = float(ALLOWANCE), MOST_WRITTEN

    def from_string(self, template: str) -> SimpleNamespace:
        return SimpleNamespace(render=partial(self.render, template))

    def render(self, template: str, /, **values: Any) -> str:
        """
        Raises:
            SecurityError, TemplateError: the template is wrong, reaches for code, or takes or writes too much.
        """
        began = monotonic()
        if self._other is None or self._other.poll() is not None:
            self._other = subprocess.Popen(
                [sys.executable, "-m", __name__], cwd=PROJECT,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        try:
            asked = json.dumps((template, values), default=lambda moment: {MOMENT: moment.isoformat()})
            self._other.stdin.write(f"{asked}\n".encode())
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


def _undated(found: Fields) -> Any:
    return datetime.fromisoformat(found[MOMENT]) if found.keys() == {MOMENT} else found


# --- the other process ---------------------------------------------------------------------------------------------


@cache
def _compiled(template: str) -> Template:
    """As lm-eval's own environment has it, in the sandbox."""
    sandbox = Sandbox(loader=BaseLoader(), undefined=StrictUndefined, keep_trailing_newline=True)
    sandbox.filters["regex_replace"] = lambda text, pattern, by, count=0: re.sub(pattern, by, text, count=count)
    return sandbox.from_string(template)


def _answer(template: str, values: Fields) -> tuple[str | None, str | None, bool]:
    """The text of a template, or what is wrong, and whether it reached for code."""
    try:
        text = _compiled(template).render(**values)
        text.encode()  # half of a pair of signs is no text
    except Exception as error:  # whatever a stranger's template makes Jinja stumble over, RecursionError among others
        return None, str(error) or type(error).__name__, isinstance(error, SecurityError)
    if len(text) > LONGEST:
        return None, f"a template writes {len(text):,} characters, more than {LONGEST:,}", False
    return text, None, False


if __name__ == "__main__":  # answer until nobody asks
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for line in sys.stdin.buffer:
        asked = json.loads(line, object_hook=_undated)
        faulthandler.dump_traceback_later(SECONDS, exit=True)  # a thread that waits for no lock of Python's
        answer = json.dumps(_answer(*asked))
        faulthandler.cancel_dump_traceback_later()
        print(answer, flush=True)
