"""Stored results -> one HTML file that opens offline. Knows no widget, so the command line uses it as well."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from plotly.offline import get_plotlyjs

from core.ask.jobs import Request
from core.base.errors import UserError
from core.report import comparison, page, profile, study
from core.report.page import Part
from core.report.view import NOTHING, Seen
from core.results import evaluations
from core.results.evaluations import Evaluations
from core.search import best as bests
from core.store import profiles
from core.store.cache import Entry, Store
from core.store.public import public

KINDS = ("profile", "study", "best")
Asked = Callable[[Store, str], Request | None]


def not_known(_store: Store, _key: str) -> None:
    """No run is known."""


def html(
    store: Store,
    entries: Sequence[Entry],
    asked: Asked = not_known,
    seen: Seen = NOTHING,
    first: Callable[[], Part] | None = None,
) -> str:
    """A report on profiles, studies and best settings, in the order given.

    Args:
        asked: tells the request of the run that computed a result, where that is still known.
        seen: the view that the parts of profiles open at.
        first: makes a part that stands before all others, such as a comparison.

    Raises:
        UserError: nothing to report on, an export among them, or a unit that is missing.
    """
    if not entries:
        raise UserError("there is nothing to report on: name a profile or a study")
    compared = comparison.part([profiles.load(store, each) for each in entries if _kind(each) == "profile"], seen)
    front = [each for each in (first and first(), compared) if each]
    parts = [*front, *(_part(store, entry, asked, seen) for entry in entries)]
    made = f"Made on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC by the absorption explorer; it opens offline."
    return page.page("Absorption report", made, parts, get_plotlyjs())


def _kind(entry: Entry) -> str:
    return entry.path.parent.name


def _part(store: Store, entry: Entry, asked: Asked, seen: Seen) -> Part:
    entry = replace(entry, provenance=public(entry.provenance))  # a report goes to others
    match _kind(entry):
        case "profile":
            return profile.part(profiles.load(store, entry), _public(asked(store, entry.key)), seen)
        case "study":
            return study.part(entry, _whole(evaluations.load(store, entry)), _profile(store, entry))
        case "best":
            found = bests.load(store, entry)
            _whole(found.final)
            return study.best(entry, found, bests.commands(found), _profile(store, entry))
    raise UserError(f"{entry.key} is an export: report on the study whose numbers its model card gives")


def _public(asked: Request | None) -> Request | None:
    return asked and type(asked).model_validate(public(asked.model_dump(mode="json")))


def _profile(store: Store, entry: Entry) -> profiles.Profile | None:
    """The profile that a study's allocations looked at, where it is at hand and of its model."""
    named = entry.provenance.get("profile")
    try:
        found = profiles.load(store, store.profile(named)) if named else None
    except UserError:  # deleted, or with a gap: the report goes without its estimates
        return None
    mine = entry.spec.model
    alike = found and found.spec.model.weights == mine.weights
    return found if alike else None


def _whole(found: Evaluations) -> Evaluations:
    """A study without gaps.

    Raises:
        UserError: a point's losses are not here, for instance because they were corrupt and set aside.
    """
    gap = next((each for each in found.points if each.evaluated is None), None)
    if gap is not None:
        raise UserError(f"study {found.spec.key} lacks {gap.name}: evaluate it again to fill the gap")
    return found
