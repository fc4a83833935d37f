"""What can be computed as a job: a row each, from the request to the function that does the work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union

from core.base.spec import Spec, View, load


@dataclass(frozen=True)
class JobRow:
    """A kind of job."""

    kind: str  # folder of its results in the store
    asks: str  # where the class of its request lies
    gives: str  # where the class of what it resolves to lies: a view
    work: str  # where `(request, bench) -> Entry` lies; it may load torch
    about: str
    answered: bool = True  # a stored result answers the request; else it is done anew each time
    listed: str = ""  # how `runs --json` calls its results, where these are listed there
    page: str = "prune"  # where a run of it is watched
    opens: tuple[tuple[str, str], ...] = ()  # what the URL of the page says to show a result, {key} its key

    @property
    def request(self) -> type[Spec]:
        return load(self.asks)

    @property
    def view(self) -> type[View]:
        return load(self.gives)


JOBS = (
    JobRow(
        "profile",
        "core.ask.measurements:MeasureRequest",
        "core.ask.measurements:ProfileSpec",
        "core.jobs.work:measure",
        "Perturb every layer of a model on a text and follow the drift.",
        listed="profiles",
        page="measure",
        opens=(("profile", "{key}"),),
    ),
    JobRow(
        "study",
        "core.ask.studies:StudyRequest",
        "core.ask.studies:StudySpec",
        "core.jobs.work:evaluate",
        "Prune by a list of settings and evaluate each beside the dense model and uniform sparsity.",
        listed="studies",
        opens=(("study", "{key}"), ("part", "results")),
    ),
    JobRow(
        "export",
        "core.ask.requests:ExportRequest",
        "core.ask.requests:ExportSpec",
        "core.jobs.work:export",
        "Write a pruned model to a folder that loads anywhere.",
        answered=False,  # its folder may be gone
        listed="exports",
    ),
    JobRow(
        "best",
        "core.ask.requests:BestRequest",
        "core.ask.requests:BestSpec",
        "core.jobs.work:search",
        "Search the best setting on one text and judge it on another.",
        listed="best",
        opens=(("best", "{key}"), ("part", "best")),
    ),
    JobRow(
        "unfinished",
        "core.ask.shares:ShareRequest",
        "core.ask.shares:Unfinished",
        "core.jobs.work:share",
        "Do one share of a measurement or study that several processes spread among themselves.",
        answered=False,  # what it answers is the whole, once that is there
        listed="unfinished",
    ),
)
BY_REQUEST = {row.request: row for row in JOBS}
Request = Union[tuple(BY_REQUEST)]  # noqa: UP007 (made from the table)
