"""Documents of a text that calibrate, select and judge: nothing is chosen on what it is judged by. No torch."""

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations

import numpy as np

from core.base import UserError, text_name
from core.requests import BestRequest, WindowRequest, absolute
from core.results.comparison import FEWEST_WINDOWS

ROLES = {"calibration": 3, "selection": 1, "final": 1}  # shares of a text's documents: 60, 20, 20% of one for all


def texts(request: BestRequest) -> dict[str, WindowRequest]:
    """The text of each role."""
    return {role: getattr(request, role) for role in ROLES}


def split(request: BestRequest, documents: Callable[[str], int]) -> BestRequest:
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
    texts_of = texts(request)
    for place in {_place(each) for each in texts_of.values()}:
        sharing = [role for role, each in texts_of.items() if _place(each) == place and each.documents is None]
        if len(sharing) > 1:
            source = texts_of[sharing[0]].source
            ranges = shares(documents(source), [ROLES[role] for role in sharing], source)
            texts_of |= {
                role: texts_of[role].replace(documents=span) for role, span in zip(sharing, ranges, strict=True)
            }
    check_apart(texts_of.values())
    return request.replace(**texts_of)


def unsplit(request: BestRequest) -> BestRequest:
    """The request without documents, where `split` gives the same ones by itself; else the request as it is."""
    by_role = texts(request)
    bare = request.replace(**{role: each.replace(documents=None) for role, each in by_role.items()})
    last = {_place(each): each.documents[1] for each in by_role.values() if each.documents}
    counts = {each.source: last.get(_place(each), -1) + 1 for each in by_role.values()}
    try:
        return bare if split(bare, counts.__getitem__) == request else request
    except UserError:
        return request


def check_apart(texts: Iterable[WindowRequest]) -> None:
    """Check that texts with different roles share no documents.

    Raises:
        UserError: two of them do.
    """
    for one, two in combinations(texts, 2):
        if _place(one) == _place(two) and overlap(one.documents, two.documents):
            raise UserError(
                f"{_named(one)} and {_named(two)} overlap: nothing may be chosen on what it is judged by, so give "
                "every role documents of its own"
            )


def shares(count: int, weights: Sequence[int], source: str = "the text") -> list[tuple[int, int]]:
    """Consecutive ranges of documents 0 .. count - 1, as near to these shares as whole documents allow.

    Raises:
        UserError: there are fewer documents than shares.
    """
    if count < len(weights):
        had = "one document" if count == 1 else f"{count} documents"
        raise UserError(
            f"{source} has {had} for {len(weights)} roles: give a text of more documents (.jsonl or .parquet), or a "
            "text for each role"
        )
    places = np.arange(len(weights))
    ends = np.rint(count * np.cumsum(weights) / sum(weights)).astype(int)
    ends = np.maximum.accumulate(np.maximum(ends, 1) - places) + places  # none is empty
    ends = np.minimum(ends, count - places[::-1]).tolist()
    return [(start, end - 1) for start, end in zip([0, *ends], ends, strict=False)]


def overlap(one: Sequence[int] | None, two: Sequence[int] | None) -> bool:
    """True where two ranges of documents share one; None is all documents."""
    return one is None or two is None or (one[0] <= two[1] and two[0] <= one[1])


def reads(source: str | None, documents: Sequence[int] | None, text: WindowRequest) -> bool:
    """True where documents of a source are among those of a text; files are known by their names, wherever they lie."""
    return source is not None and text_name(source) == text_name(text.source) and overlap(documents, text.documents)


def described(request: BestRequest) -> str:
    """One sentence: which text has which role."""
    names = {role: _named(each) for role, each in texts(request).items()}
    profile = f"Calibration and profile: {names['calibration']}"
    if request.profile is not None:
        profile = f"Profile {request.profile}: the text it was measured on; calibration: {names['calibration']}"
    return f"{profile}; selection: {names['selection']}; final comparison: {names['final']}."


def _place(text: WindowRequest) -> str:
    """One name for the place of a text, however its path is written."""
    return absolute(text.source) if text.source.startswith("file:") else text.source


def _named(text: WindowRequest) -> str:
    name = text_name(text.source)
    return name if text.documents is None else f"documents {text.documents[0]}-{text.documents[1]} of {name}"
