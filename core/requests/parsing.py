"""Typed paths, ranges, lists and shares -> values, for the command line, pages and files."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BeforeValidator

from core.base import PROJECT, UserError, access, brief, exists, expanded, number, resolved, unique

MOST_SEEDS = 100


def from_text(read: Callable[[str], Any]) -> BeforeValidator:
    """A validator that lets a field take text too, read by a function that may raise UserError."""

    def value(typed):
        try:
            return read(typed) if isinstance(typed, str) else typed
        except UserError as error:
            raise ValueError(str(error)) from error

    return BeforeValidator(value)


def absolute(typed: str, folder: Path = Path()) -> str:
    """Make a path absolute, relative to a folder or else to the working directory; anything else stays unchanged.

    A path that access rules forbid is not looked for, and stays unchanged.
    """
    prefix = re.match("(random:)?(file:)?", typed)[0]
    rest = typed.removeprefix(prefix)
    candidates = (each for each in (folder / expanded(rest), expanded(rest)) if access.permits(each))
    existing = next((each for each in candidates if prefix.endswith("file:") or exists(each)), None)
    return typed if existing is None or rest == "demo" else f"{prefix}{whole_path(existing)}"


def whole_path(path: Path) -> Path:
    """An absolute path: `resolved`, except for what may not be looked for, and a Windows drive of another computer."""
    whole = resolved(path) if access.permits(path) else path
    return whole if access.permits(whole) else expanded(path).absolute()


PATHS = {  # field that holds a path -> (typed, folder) -> absolute
    **dict.fromkeys(("model", "source", "imatrix"), absolute),
    **dict.fromkeys(("folder", "tasks_from"), lambda typed, folder: str(whole_path(folder / expanded(typed)))),
}


def with_paths(fields: Any, folder: Path = Path()) -> Any:
    """Nested values of a request by field, with every path made absolute."""
    if isinstance(fields, list):
        return [with_paths(each, folder) for each in fields]
    if not isinstance(fields, dict):
        return fields
    return {
        name: PATHS[name](value, folder) if name in PATHS and isinstance(value, str) else with_paths(value, folder)
        for name, value in fields.items()
    }


def with_absolute_paths(request: Any) -> Any:
    """A stored request with absolute paths: in the cache, those inside the project are relative to it."""
    calibration = request.calibration.replace(source=absolute(request.calibration.source, PROJECT))
    typed = {name: getattr(request, name, None) for name in ("model", "imatrix")}
    paths = {name: absolute(each, PROJECT) for name, each in typed.items() if each}
    return request.replace(calibration=calibration, **paths)


def span(text: str) -> tuple[int, int]:
    """Read `0-599` as (0, 599).

    Raises:
        UserError: not two numbers joined by a dash.
    """
    match = re.fullmatch(r"(\d{1,18})-(\d{1,18})", text.strip())
    if not match:
        raise UserError(f"{brief(text)} is no range: write first-last, counted from 0, as in 0-599")
    return int(match[1]), int(match[2])


def numbers(text: str, what: str = "layers") -> tuple[int, ...]:
    """Read `0,1,2` as (0, 1, 2).

    Raises:
        UserError: anything but whole numbers and commas, or more than MOST_SEEDS.
    """
    values = _listed(text, int)
    if not values or min(values) < 0 or len(values) > MOST_SEEDS:
        right = f"write {MOST_SEEDS} of them at most, as in 0 or 0,1,2"
        raise UserError(f"{what} {brief(text)} are not a list of whole numbers from 0: {right}")
    return values


def _listed(text: str, kind: type) -> tuple:
    """Numbers between commas, each once; empty if one is no number."""
    try:
        return tuple(unique(kind(part) for part in text.split(",") if part.strip()))
    except ValueError:
        return ()


def read_bytes(text: str) -> float:
    """Read `60MB` as 60,000,000.

    Raises:
        UserError: no number with a unit of bytes.
    """
    match = re.fullmatch(r"(\d+\.?\d*) ?([kMG]?)B", text.strip())
    if not match:
        raise UserError(f"{brief(text)} is no size of a file: write a number with its unit, as in 60MB or 1.2GB")
    return float(match[1]) * 1000 ** " kMG".index(match[2] or " ")


def fraction(text: str, what: str = "largest loss") -> float:
    """Read `20%` or `0.2` as 0.2.

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
    """Read `0.5, 0.6` as (0.5, 0.6).

    Raises:
        UserError: anything but numbers from 0 to below 1.
    """
    values = _listed(typed, float)
    if not values or not all(0 <= each < 1 for each in values):
        right = "write numbers from 0 to below 1, as in 0.5, 0.6, 0.7"
        raise UserError(f"{what} {brief(typed)} are not sparsities: {right}")
    return values
