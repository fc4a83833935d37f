"""Provenance as far as pages and the command line rely on it; a stranger's is checked to be of these types."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from core.ask.requests import BestRequest, as_asked_now

Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]  # nothing that steers a terminal
Count = Annotated[int, Field(ge=0)]


def _ordered(span: tuple[int, int]) -> tuple[int, int]:
    if span[0] > span[1]:
        raise ValueError("the first must not exceed the last")
    return span


Span = Annotated[tuple[Count, Count], AfterValidator(_ordered)]


class Provenance(BaseModel):
    """The known fields of any result's provenance; further fields are free."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)

    model: Line = ""
    family: Line = ""
    text: Line = ""
    device: Line = ""
    dtype: Line = ""
    created: Line = ""
    engine: Line | None = ""
    setting: Line = ""
    seconds: float | dict[Line, float] = 0.0
    seconds_pruning: float | None = None
    linears: tuple[Line, ...] = ()
    warnings: tuple[Line, ...] = ()
    stopped: Line | None = None
    broken: Count | None = None
    layers: Count | None = None
    threads: Count | None = None
    replay_error: float | None = Field(None, allow_inf_nan=True)  # half precision overflows
    commit: Line | None = None
    versions: dict[Line, Line] = {}
    files: dict[Line, Line] = {}
    checkpoints: dict[Line, Line] = {}
    tensors: tuple[Line, ...] = ()
    outside: tuple[Line, ...] = ()
    model_source: Line | None = None
    revision: Line | None = None
    text_source: Line | None = None
    calibration: Line | None = None
    calibration_source: Line | None = None
    documents: Span | None = None
    text_documents: Span | None = None
    calibration_documents: Span | None = None
    seed: Count = 0
    profile: Line | None = None
    tasks_from: Line | None = None
    request: dict | None = None


class Trial(BaseModel):
    """A target that a search tried."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    target: float = Field(ge=0, lt=1)
    allocation: Line
    loss: float
    uniform: float | None = None  # not known, or not a number


class BestProvenance(Provenance):
    """Of a best setting, which cannot be shown without what was asked."""

    request: Annotated[BestRequest, BeforeValidator(as_asked_now)]
    texts: dict[Line, Line] = {}
    left_out: tuple[Line, ...] = ()
    trials: tuple[Trial, ...] = ()


SCHEMAS: dict[str, type[Provenance]] = {"best": BestProvenance}  # by kind; any other: `Provenance`
