"""The provenance that pages and commands rely on, by which a stranger's is checked, without folders where it leaves."""

import re
from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from core.requests import BestRequest, current_fields

Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]  # nothing that steers a terminal
Lines, Named = tuple[Line, ...], dict[Line, Line]
Known = Line | None  # None: it is not known, or there is none
Count = Annotated[int, Field(ge=0)]
PATH = re.compile(r"(?P<form>(?:random:|file:)*)(?P<path>(?:/|~|[A-Za-z]:[\\/]|\\\\|\.\.?[\\/]).*)", re.DOTALL)


def _ordered(span: tuple[int, int]) -> tuple[int, int]:
    if span[0] > span[1]:
        raise ValueError("the first must not exceed the last")
    return span


class Provenance(BaseModel):
    """The known fields of any result's provenance; further fields are free."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)

    model: Line = ""
    family: Line = ""
    text: Line = ""
    device: Line = ""
    dtype: Line = ""
    created: Line = ""
    engine: Known = ""
    setting: Line = ""
    seconds: float | dict[Line, float] = 0.0
    seconds_pruning: float | None = None
    linears: Lines = ()
    warnings: Lines = ()
    stopped: Known = None
    broken: Count | None = None
    layers: Count | None = None
    threads: Count | None = None
    replay_error: float | None = Field(None, allow_inf_nan=True)  # half precision overflows
    commit: Known = None
    versions: Named = {}
    files: Named = {}
    checkpoints: Named = {}
    tensors: Lines = ()
    outside: Lines = ()
    model_source: Known = None
    revision: Known = None
    text_source: Known = None
    calibration: Known = None
    documents: Annotated[tuple[Count, Count], AfterValidator(_ordered)] | None = None
    seed: Count = 0
    profile: Known = None
    request: dict | None = None


class BestProvenance(Provenance):
    """Of a best setting, which cannot be shown without what was asked."""

    request: Annotated[BestRequest, BeforeValidator(current_fields)]
    texts: Named = {}
    left_out: Lines = ()
    predicted: Count = 0
    forecasts: dict[Line, tuple[float, float, float, float]] = {}  # allocation -> fields of a `Prediction`


SCHEMAS = {"best": BestProvenance}  # by kind; any other: `Provenance`


def without_folders(value: Any) -> Any:
    """JSON that names no folder of this machine: each text that is a path from the root, home or working folder is cut.

    Of such a path its last name stays: `file:/home/me/notes.txt` -> `file:notes.txt`. A path inside the project, which
    says nothing of this machine, stays whole.
    """
    if isinstance(value, dict):
        return {name: without_folders(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_folders(each) for each in value]
    path = PATH.fullmatch(value) if isinstance(value, str) else None
    if path is None:
        return value
    form = PureWindowsPath if re.match(r"[A-Za-z]:|\\", path["path"]) else PurePosixPath
    return path["form"] + form(path["path"]).name
