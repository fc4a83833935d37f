"""From what is typed, on the command line or on a page, to a request."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TypeVar

from core.ask import presets
from core.ask.measurements import Measurement, MeasureRequest, measurements
from core.ask.perturbations import perturbation
from core.ask.requests import BestRequest
from core.ask.studies import StudyRequest
from core.ask.texts import WindowRequest
from core.base.errors import UserError
from core.base.escape import brief
from core.base.paths import exists, expanded, resolved
from core.base.spec import checked, look_up, number
from core.kinds import Perturbation

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


def fraction(text: str) -> float:
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
        raise UserError(f"a largest loss of {brief(text)} is not a share above 0: write 20% or 0.2")
    if value > 1 and not body.endswith("%"):
        raise UserError(f"a largest loss of {brief(text)} is more than all: write {number(value)}% if that is meant")
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


def build(
    model: str, revision: str | None, text: str, documents: str | None, preset: str, perturb: list[str],
    sequences: int | None, length: int | None, seeds: str | None, positions: str | None, dtype: str, seed: int,
    packing: str | None, bos: str, removal: bool = False,
) -> MeasureRequest:  # fmt: skip
    """A measure request; what is not given comes from the preset.

    Raises:
        UserError: the first option that cannot be.
    """
    chosen = look_up(presets.PRESETS, preset, "preset")
    window = checked(
        WindowRequest,
        source=absolute(text),
        documents=span(documents),
        sequences=chosen.sequences if sequences is None else sequences,
        length=chosen.length if length is None else length,
        seed=seed,
        packing=packing,
        bos=bos,
    )
    return checked(
        MeasureRequest,
        model=absolute(model),
        revision=revision,
        dtype=dtype,
        text=window,
        measurements=_measurements(chosen, perturb, seeds, positions),
        removal=removal,
    )


def _measurements(
    chosen: presets.Preset, perturb: list[str], seeds: str | None, positions: str | None
) -> tuple[Measurement, ...]:
    where = positions or "after_first"
    if positions not in (None, "after_first", "all"):
        raise UserError(f"--positions {brief(positions)}: give after_first or all")
    if perturb:
        asked = [_placed(perturbation(part, where)) for text in perturb for part in text.split(",")]
        return measurements(asked, numbers(seeds or "0"))
    if seeds is None and positions is None:
        return chosen.measurements
    asked = [each.perturbation for each in chosen.measurements]
    if positions:
        asked = [each.model_copy(update={"positions": where}) if hasattr(each, "positions") else each for each in asked]
    return measurements(asked, numbers(seeds or "0"))


def _placed(asked: Perturbation) -> Perturbation:
    """A perturbation whose checkpoint is found from any working directory."""
    return asked.model_copy(update={"source": absolute(asked.source)}) if asked.compares else asked
