"""Libraries held in check: their exceptions as one sentence, and attributes replaced for a while."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from core.base import UserError, gist, shortage


@contextmanager
def library_errors(what: str) -> Iterator[None]:
    """Turn an exception that a library raises over the files of a model into one sentence that begins with `what`.

    What the code of this project raises, which is a bug, and what the machine lacks stay what they are.

    Raises:
        UserError: a library raised an exception.
    """
    try:
        yield
    except BaseException as error:
        *_, (innermost, _) = traceback.walk_tb(error.__traceback__)
        ours = innermost.f_globals.get("__name__", "").startswith("core.")
        # A panic is no Exception: it is what a library in Rust raises.
        theirs = type(error).__name__ == "PanicException" or (isinstance(error, Exception) and not ours)
        if not theirs or shortage(error):
            raise
        raise UserError(f"{what}: {gist(error)}") from error


@contextmanager
def patched(holder: Any, /, **others: Any) -> Iterator[None]:
    """While inside, an object, perhaps a library's, has other attributes; after it its own again."""
    attributes = vars(holder)
    own = {name: attributes[name] for name in others if name in attributes}
    attributes.update(others)
    try:
        yield
    finally:
        attributes.update(own)  # at once: another thread may read it
        for name in others.keys() - own:
            attributes.pop(name, None)
