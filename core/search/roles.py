"""Which text calibrates, which selects, which judges: nothing is chosen on what it is judged by. No torch."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations

from core.ask.requests import BestRequest
from core.ask.texts import WindowRequest
from core.base.errors import UserError
from core.base.paths import resolved
from core.results.comparison import FEWEST_WINDOWS

ROLES = {"calibration": 3, "selection": 1, "final": 1}  # shares of a text's documents: 60, 20, 20% of one for all


def cut(request: BestRequest, documents: Callable[[str], int]) -> BestRequest:
    """Give every role documents of its own where several read one source without naming any.

    Three of every five documents calibrate, one selects, one judges; where only two roles share a source, in the
    same proportion.

    Args:
        documents: how many documents a source has; asked only of sources that are shared.

    Raises:
        UserError: a source has fewer documents than roles, the documents of two roles overlap, or there are too few
            windows for an interval.
    """
    if request.final.sequences < FEWEST_WINDOWS:
        raise UserError(
            f"{request.final.sequences} windows are too few to judge by: give the final text {FEWEST_WINDOWS} or more"
        )
    asked: dict[str, WindowRequest] = {role: getattr(request, role) for role in ROLES}
    for place in {_place(each) for each in asked.values()}:
        sharing = [role for role, each in asked.items() if _place(each) == place and each.documents is None]
        if len(sharing) > 1:
            source = asked[sharing[0]].source
            spans = shares(documents(source), [ROLES[role] for role in sharing], source)
            for role, span in zip(sharing, spans, strict=True):
                asked[role] = asked[role].model_copy(update={"documents": span})
    apart(asked.values())
    return request.model_copy(update=asked)


def apart(asked: Iterable[WindowRequest]) -> None:
    """Check that texts with different roles share no documents.

    Raises:
        UserError: two of them do.
    """
    for one, two in combinations(asked, 2):
        if _place(one) == _place(two) and overlap(one.documents, two.documents):
            raise UserError(
                f"{_text(one)} and {_text(two)} overlap: nothing may be chosen on what it is judged by, so give "
                "every role documents of its own"
            )


def _place(asked: WindowRequest) -> str:
    """Where a text lies, however that is written."""
    name = asked.source.removeprefix("file:")
    return asked.source if name == asked.source else str(resolved(name))


def uncut(request: BestRequest) -> BestRequest:
    """The same without the documents that `cut` gives by itself; those that were named stay."""
    asked: dict[str, WindowRequest] = {role: getattr(request, role) for role in ROLES}
    for place in {_place(each) for each in asked.values()}:
        sharing = {role: each.documents for role, each in asked.items() if _place(each) == place}
        spans = list(sharing.values())
        if len(spans) > 1 and None not in spans and _cut_so(spans, [ROLES[role] for role in sharing]):
            asked |= {role: asked[role].model_copy(update={"documents": None}) for role in sharing}
    return request.model_copy(update=asked)


def _cut_so(spans: list[tuple[int, int]], weights: Sequence[int]) -> bool:
    count = spans[-1][1] + 1
    return count >= len(spans) and spans == shares(count, weights)


def shares(count: int, weights: Sequence[int], source: str = "the text") -> list[tuple[int, int]]:
    """Cut documents 0 .. count - 1 into consecutive ranges, as near to these shares as whole documents allow.

    Raises:
        UserError: there are fewer documents than shares.
    """
    if count < len(weights):
        had = "one document" if count == 1 else f"{count} documents"
        raise UserError(
            f"{source} has {had} for {len(weights)} roles: give a text of more documents (.jsonl or .parquet), or a "
            "text for each role"
        )
    ends = [round(count * sum(weights[: index + 1]) / sum(weights)) for index in range(len(weights))]
    for index in range(len(ends)):  # none is empty: push ends up from the left, then down from the right
        ends[index] = max(ends[index], ends[index - 1] + 1 if index else 1)
    for index in reversed(range(len(ends))):
        ends[index] = min(ends[index], count - (len(ends) - 1 - index))
    return [(start, end - 1) for start, end in zip([0, *ends], ends, strict=False)]


def overlap(one: tuple[int, int] | None, two: tuple[int, int] | None) -> bool:
    """Whether two ranges of documents share one; None is all of them."""
    return one is None or two is None or (one[0] <= two[1] and two[0] <= one[1])


def roles(request: BestRequest) -> str:
    """One sentence: which text has which role."""
    calibration = _text(request.calibration)
    profile = f"Calibration and profile: {calibration}"
    if request.profile is not None:
        profile = f"Profile {request.profile}: the text it was measured on; calibration: {calibration}"
    return f"{profile}; selection: {_text(request.selection)}; final comparison: {_text(request.final)}."


def _text(asked: WindowRequest) -> str:
    known = {"demo": "the demo text's calibration half", "demo:evaluation": "the demo text's evaluation half"}
    name = known.get(asked.source, asked.source)
    if asked.source.startswith("file:"):
        name = re.split(r"[/\\]", asked.source.removeprefix("file:"))[-1]
    return name if asked.documents is None else f"documents {asked.documents[0]}-{asked.documents[1]} of {name}"
