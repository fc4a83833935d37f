"""The kinds of job: a row each, from what a person asks to the view that it resolves to.

A share of a measurement or of a study is a job too: what one of several processes does of it.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple, Union

import numpy as np

from core.base import Fields, Spec, UserError, View, brief
from core.requests.export_and_search import BestRequest, BestSpec, ExportRequest, ExportSpec
from core.requests.measurements import MeasureRequest, ProfileSpec
from core.requests.studies import StudyRequest, StudySpec


class Share(Spec):
    """Which share: the second of eight. Shares are the same wherever and whenever they are asked for."""

    part: int
    of: int

    @property
    def name(self) -> str:
        return f"share {self.part} of {self.of}"


class ShareRequest(Spec):
    """One share of a measurement or of a study; whoever does the last one makes the whole."""

    whole: MeasureRequest | StudyRequest
    share: Share

    @property
    def title(self) -> str:
        return f"{self.share.name}: {self.whole.title}"


class Unfinished(View):
    """A view: a profile or a study of which shares are done and shares are missing."""

    whole: ProfileSpec | StudySpec

    @property
    def units(self) -> tuple[Spec, ...]:
        return self.whole.units

    def record(self, told: Fields) -> Fields:
        return {"whole": self.whole.key}


def read_share(typed: str) -> Share:
    """`2/8` -> the second of eight.

    Raises:
        UserError: not two whole numbers with a slash, or no such share.
    """
    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", typed.strip())
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise UserError(f"--part {brief(typed)} is no share of a whole: write which of how many, from 1/8 to 8/8")
    return Share(part=int(found[1]), of=int(found[2]))


def cut(works: Sequence[float], of: int) -> list[int]:
    """The share, 1 to `of`, that each piece of work falls to: neighbours stay together, each share is about as much.

    A share differs from the mean by less than the largest piece; with more shares than pieces some are empty.
    """
    ends = np.cumsum(works)
    middles = (ends - np.asarray(works) / 2) / ends[-1]
    return (np.minimum(middles * of, of - 1).astype(int) + 1).tolist()


# --- the table -------------------------------------------------------------------------------------------------------


class JobRow(NamedTuple):
    """A kind of job."""

    kind: str  # folder of its results in the store
    request: type[Spec]
    view: type[View]  # what the request resolves to
    listed: str  # how `runs --json` calls its results
    answered: bool = True  # a stored result answers the request; else it is done anew each time
    page: str = "prune"  # where a run of it is watched
    part: str = ""  # of that page, which shows a result


JOBS = (
    JobRow("profile", MeasureRequest, ProfileSpec, "profiles", page="measure"),
    JobRow("study", StudyRequest, StudySpec, "studies", part="results"),
    JobRow("export", ExportRequest, ExportSpec, "exports", answered=False),  # its folder may be gone
    JobRow("best", BestRequest, BestSpec, "best", part="best"),
    JobRow("unfinished", ShareRequest, Unfinished, "unfinished", answered=False),  # the whole answers it
)
BY_REQUEST = {row.request: row for row in JOBS}
Request = Union[tuple(BY_REQUEST)]  # noqa: UP007 (made from the table)
