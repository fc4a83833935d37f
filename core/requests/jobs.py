"""The kinds of job, a row each: the request, and the view that it resolves to.

One share of a measurement or of a study, done by one of several processes, is a job too.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Union

import numpy as np

from core.base import Fields, Spec, UserError, View, brief
from core.requests.export_and_search import BestRequest, BestSpec, ExportRequest, ExportSpec
from core.requests.measurements import MeasureRequest
from core.requests.profile_specs import ProfileSpec
from core.requests.studies import StudyRequest, StudySpec


class Share(Spec):
    """A share such as the second of eight; the same work wherever and whenever it runs."""

    part: int
    of: int


class ShareRequest(Spec):
    """One share of a measurement or of a study; the last share to finish assembles the whole."""

    whole: MeasureRequest | StudyRequest
    share: Share

    @property
    def title(self) -> str:
        return f"share {self.share.part} of {self.share.of}: {self.whole.title}"


class Unfinished(View):
    """A view: a profile or a study with some of its shares done."""

    whole: ProfileSpec | StudySpec

    @property
    def units(self) -> tuple[Spec, ...]:
        return self.whole.units

    def record(self, provenance: Fields) -> Fields:
        return {"whole": self.whole.key}


def read_share(typed: str) -> Share:
    """Read `2/8` as the second of eight.

    Raises:
        UserError: not two whole numbers with a slash, or no such share.
    """
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", typed.strip())
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise UserError(f"--part {brief(typed)} is no share of a whole: write which of how many, from 1/8 to 8/8")
    return Share(part=int(match[1]), of=int(match[2]))


def cut(works: Sequence[float], of: int) -> list[int]:
    """Assign each piece of work to a share, 1 to `of`: neighbours stay together, shares take about equally long.

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
    listed: str  # name of its results in `runs --json`
    answered: bool = True  # a stored result answers the request; else it is done anew each time
    page: str = "compress"  # where a run of it is watched
    part: str = ""  # part of that page that shows a result


JOBS = (
    JobRow("profile", MeasureRequest, ProfileSpec, "profiles", page="measure"),
    JobRow("study", StudyRequest, StudySpec, "studies", part="results"),
    JobRow("export", ExportRequest, ExportSpec, "exports", answered=False),  # its folder may be gone
    JobRow("best", BestRequest, BestSpec, "best", part="goal"),
    JobRow("unfinished", ShareRequest, Unfinished, "unfinished", answered=False),  # the whole answers it
)
BY_REQUEST = {row.request: row for row in JOBS}
if TYPE_CHECKING:
    Request = MeasureRequest | StudyRequest | ExportRequest | BestRequest | ShareRequest
else:
    Request = Union[tuple(BY_REQUEST)]  # noqa: UP007 (made from the table)
