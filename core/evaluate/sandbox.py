"""A place where templates of strangers are rendered and run no code."""

from __future__ import annotations

import datetime
import sys
from typing import Any, NoReturn

from jinja2 import BaseLoader, Environment, TemplateError, TemplateRuntimeError
from jinja2.exceptions import SecurityError
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Cycler, Joiner, Namespace

NUMBERS = (int, float, complex)
TIMES = (datetime.date, datetime.time, datetime.timedelta)
JINJA = (LoopContext, Cycler, Joiner, Namespace)
# A picture in a data set can be saved to a file by a public method, which Jinja's own sandbox allows.
PLAIN = (str, bytes, list, tuple, dict, set, *NUMBERS, *TIMES, *JINJA)


class Sandbox(ImmutableSandboxedEnvironment):
    """Attributes of plain values only, none that leads to code or changes the value.

    Whatever goes wrong while a template is rendered is a `TemplateError`; an attribute that is not allowed is a
    `SecurityError` at once, where Jinja would let `default` and `is defined` pass over it.
    """

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return isinstance(obj, PLAIN) and super().is_safe_attribute(obj, attr, value)

    def unsafe_undefined(self, obj: Any, attribute: str) -> NoReturn:
        raise SecurityError(f"{attribute} of {type(obj).__name__}")

    def handle_exception(self, source: str | None = None) -> NoReturn:
        error = sys.exc_info()[1]
        if isinstance(error, Exception) and not isinstance(error, TemplateError):
            raise TemplateRuntimeError(str(error)) from error
        super().handle_exception(source)


def sandboxed(ordinary: Environment) -> Sandbox:
    """An environment that renders as another does, its filters and tests included, in the sandbox."""
    found = Sandbox(
        loader=BaseLoader(), undefined=ordinary.undefined, keep_trailing_newline=ordinary.keep_trailing_newline
    )
    found.filters.update(ordinary.filters)
    found.tests.update(ordinary.tests)
    return found
