"""Paths, ranges, lists and shares of one as they are typed, on the command line, on a page or in a file."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BeforeValidator

from core.base import PROJECT, Spec, UserError, access, brief, exists, expanded, number, resolved, unique

MOST_SEEDS = 100
Stored = TypeVar("Stored", bound=Spec)


def from_text(read: Callable[[str], Any]) -> BeforeValidator:
    """Lets a field take its text as well, read by a function that raises UserError."""

    def value(given):
        try:
            return read(given) if isinstance(given, str) else given
        except UserError as error:
            raise ValueError(str(error)) from error

    return BeforeValidator(value)


def absolute(typed: str, folder: Path = Path()) -> str:
    """A path that counts from a folder, or else from the working directory, made whole; anything else as it is.

    What may not be read is not looked for, and stays as it is.
    """
    prefix = re.match("(random:)?(file:)?", typed)[0]
    rest = typed.removeprefix(prefix)
    known = (each for each in (folder / expanded(rest), expanded(rest)) if access.permits(each))
    there = next((each for each in known if prefix.endswith("file:") or exists(each)), None)
    return typed if there is None or rest == "demo" else f"{prefix}{whole_path(there)}"


def whole_path(path: Path) -> Path:
    """The same as `resolved`, but for a drive letter of Windows that stands for a folder of another computer."""
    found = resolved(path)
    return found if access.permits(found) else expanded(path).absolute()


PATHS = {  # field that holds a path -> (as typed, folder) -> the whole one
    "model": absolute,
    "source": absolute,
    "tasks_from": lambda typed, folder: str(resolved(folder / expanded(typed))),
}


def with_paths(said: Any, folder: Path = Path()) -> Any:
    """Nested values of a request by field, every path in them made whole as `absolute` does."""
    if isinstance(said, list):
        return [with_paths(each, folder) for each in said]
    if not isinstance(said, dict):
        return said
    return {
        name: PATHS[name](value, folder) if name in PATHS and isinstance(value, str) else with_paths(value, folder)
        for name, value in said.items()
    }


def with_absolute_paths(asked: Stored) -> Stored:
    """A stored request with whole paths: in the cache, those inside the project are relative to it."""
    calibration = asked.calibration.replace(source=absolute(asked.calibration.source, PROJECT))
    return asked.replace(model=absolute(asked.model, PROJECT), calibration=calibration)


def span(text: str) -> tuple[int, int]:
    """`0-599` -> (0, 599).

    Raises:
        UserError: not two numbers with a dash between.
    """
    found = re.fullmatch(r"(\d{1,18})-(\d{1,18})", text.strip())
    if not found:
        raise UserError(f"{brief(text)} is no range: write first-last, counted from 0, as in 0-599")
    return int(found[1]), int(found[2])


def numbers(text: str, what: str = "layers") -> tuple[int, ...]:
    """`0,1,2` -> (0, 1, 2).

    Raises:
        UserError: something else than whole numbers and commas, or very many of them.
    """
    found = _listed(text, int)
    if not found or min(found) < 0 or len(found) > MOST_SEEDS:
        right = f"write {MOST_SEEDS} of them at most, as in 0 or 0,1,2"
        raise UserError(f"{what} {brief(text)} are not a list of whole numbers from 0: {right}")
    return found


def _listed(text: str, kind: type) -> tuple:
    """Numbers with commas, each once; none where one is no number."""
    try:
        return tuple(unique(kind(part) for part in text.split(",") if part.strip()))
    except ValueError:
        return ()


def read_bytes(text: str) -> float:
    """`60MB` -> 60,000,000.

    Raises:
        UserError: no number with a unit of bytes.
    """
    found = re.fullmatch(r"(\d+\.?\d*) ?([kMG]?)B", text.strip())
    if not found:
        raise UserError(f"{brief(text)} is no size of a file: write a number with its unit, as in 60MB or 1.2GB")
    return float(found[1]) * 1000 ** " kMG".index(found[2] or " ")


def fraction(text: str, what: str = "largest loss") -> float:
    """`20%` or `0.2` -> 0.2.

    Raises:
        UserError: no number, not above 0, or a percentage without its sign.
    """
    body = text.strip()
    try:
        value = float(body.removesuffix("%")) / (100 if body.endswith("%") else 1)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise UserError(f"a {what} of {brief(text)} is not a share above 0: write 20% or 0.2")
    if value > 1 and not body.endswith("%"):
        raise UserError(f"a {what} of {brief(text)} is more than all: write {number(value)}% if that is meant")
    return value


def fractions(typed: str, what: str) -> tuple[float, ...]:
    """`0.5, 0.6` -> (0.5, 0.6).

    Raises:
        UserError: something else than numbers from 0 to below 1.
    """
    found = _listed(typed, float)
    if not found or not all(0 <= each < 1 for each in found):
        right = "write numbers from 0 to below 1, as in 0.5, 0.6, 0.7"
        raise UserError(f"{what} {brief(typed)} are not sparsities: {right}")
    return found
