"""The kinds of job: a row each, from what a person asks to the view that it resolves to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union

from core.ask.measurements import MeasureRequest, ProfileSpec
from core.ask.requests import BestRequest, BestSpec, ExportRequest, ExportSpec
from core.ask.shares import ShareRequest, Unfinished
from core.ask.studies import StudyRequest, StudySpec
from core.base.spec import Spec, View


@dataclass(frozen=True)
class JobRow:
    """A kind of job."""

    kind: str  # folder of its results in the store
    request: type[Spec]
    view: type[View]  # what the request resolves to
    about: str
    answered: bool = True  # a stored result answers the request; else it is done anew each time
    listed: str = ""  # how `runs --json` calls its results, where these are listed there
    page: str = "prune"  # where a run of it is watched
    opens: tuple[tuple[str, str], ...] = ()  # what the URL of the page says to show a result, {key} its key


JOBS = (
    JobRow(
        "profile",
        MeasureRequest,
        ProfileSpec,
        "Perturb every layer of a model on a text and follow the drift.",
        listed="profiles",
        page="measure",
        opens=(("profile", "{key}"),),
    ),
    JobRow(
        "study",
        StudyRequest,
        StudySpec,
        "Prune by a list of settings and evaluate each beside the dense model and uniform sparsity.",
        listed="studies",
        opens=(("study", "{key}"), ("part", "results")),
    ),
    JobRow(
        "export",
        ExportRequest,
        ExportSpec,
        "Write a pruned model to a folder that loads anywhere.",
        answered=False,  # its folder may be gone
        listed="exports",
    ),
    JobRow(
        "best",
        BestRequest,
        BestSpec,
        "Search the best setting on one text and judge it on another.",
        listed="best",
        opens=(("best", "{key}"), ("part", "best")),
    ),
    JobRow(
        "unfinished",
        ShareRequest,
        Unfinished,
        "Do one share of a measurement or study that several processes spread among themselves.",
        answered=False,  # what it answers is the whole, once that is there
        listed="unfinished",
    ),
)
BY_REQUEST = {row.request: row for row in JOBS}
Request = Union[tuple(BY_REQUEST)]  # noqa: UP007 (made from the table)
