"""Paths, ranges, lists and shares as they are typed, on the command line or on a page."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TypeVar

from core.ask.requests import BestRequest
from core.ask.studies import StudyRequest
from core.base.errors import UserError
from core.base.escape import brief
from core.base.paths import exists, expanded, resolved
from core.base.spec import number

Stored = TypeVar("Stored", StudyRequest, BestRequest)


def absolute(typed: str, folder: Path = Path()) -> str:
    """A path that counts from a folder, or else from the working directory, made whole; anything else as it is."""
    if typed.startswith("random:"):
        return f"random:{absolute(typed.removeprefix('random:'), folder)}"
    path = expanded(typed.removeprefix("file:"))
    if typed.startswith("file:"):
        return f"file:{resolved(folder / path)}"
    there = next((each for each in (folder / path, path) if exists(each)), None)
    return typed if there is None or typed == "demo" else str(resolved(there))


def whole(asked: Stored) -> Stored:
    """A stored request with whole paths: in the cache, those inside the project are relative to it."""
    calibration = asked.calibration.model_copy(update={"source": _found(asked.calibration.source)})
    return asked.model_copy(update={"model": _found(asked.model), "calibration": calibration})


def _found(stored: str) -> str:
    for prefix in ("random:", "file:"):
        if stored.startswith(prefix):
            return prefix + _found(stored.removeprefix(prefix))
    inside = Path(__file__).resolve().parent.parent.parent / stored
    return str(inside) if stored != "demo" and exists(inside) else stored


def span(text: str | None) -> tuple[int, int] | None:
    """`0-599` -> (0, 599).

    Raises:
        UserError: not two numbers with a dash between.
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,18})-(\d{1,18})", text.strip())
    if not found:
        raise UserError(f"documents {brief(text)} are not a range: write first-last, counted from 0, as in 0-599")
    return int(found[1]), int(found[2])


def numbers(text: str) -> tuple[int, ...]:
    """`0,1,2` -> (0, 1, 2).

    Raises:
        UserError: something else than whole numbers and commas.
    """
    try:
        found = tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        found = (-1,)
    if min(found) < 0:
        raise UserError(f"seeds {brief(text)} are not a list of whole numbers from 0: write 0 or 0,1,2")
    return found


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


def fractions(typed: str, what: str) -> list[float]:
    """`0.5, 0.6` -> [0.5, 0.6].

    Raises:
        UserError: something else than numbers from 0 to below 1.
    """
    try:
        found = list(dict.fromkeys(float(part) for part in typed.split(",") if part.strip()))
    except ValueError:
        found = []
    if not found or not all(0 <= each < 1 for each in found):
        right = "write numbers from 0 to below 1, as in 0.5, 0.6, 0.7"
        raise UserError(f"{what} {brief(typed)} are not sparsities: {right}")
    return found
