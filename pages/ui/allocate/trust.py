"""How far the additive estimate can be trusted: against what was measured of the profile's model."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from core.ask.allocations import AllocationRequest
from core.base.errors import UserError
from core.base.escape import plain
from core.plan.responses import Judge
from core.results import protocols
from core.results.evaluations import Evaluations, Slice
from core.show.figures import Chart, of_evaluations
from core.store.profiles import Profile
from core.store.results import Array
from pages.ui import frame, view
from pages.ui.prune import stored

TITLE = "Estimate against measured"
FEWEST = 3  # allocations a rank correlation needs
LACKING = (
    f"There are no measurements to compare the estimate with yet: evaluate {FEWEST} or more allocations of one target "
    "and pruner on the Prune page."
)
Place = tuple[str, Slice]  # protocol, and what may be compared within it


def show(profile: Profile, request: AllocationRequest, now: Array, judge: Judge, prefix: str) -> None:
    """The additive estimate against the measured loss in one protocol, pruner and target; a sentence without enough.

    Args:
        now: (layers,) or (layers, linears) on screen, marked among allocations of its target.
    """
    found, lacking = stored.groups(profile), LACKING
    known = places(found)
    try:
        place = choose(known, found, request.target, judge.pruner) if known else None
        chart = _drawn(found, place, profile, request, now, judge) if place else None
    except UserError as error:
        chart, lacking = None, f"The estimate cannot be compared with measurements: {error}."
    if chart is None:
        st.header(TITLE, anchor=False)
        st.caption(plain(lacking))
        return
    frame.show(chart, prefix, "trust")
    st.caption(plain(protocols.badge(found[place[0]])))


def _drawn(
    found: Mapping[str, Evaluations],
    place: Place,
    profile: Profile,
    request: AllocationRequest,
    now: Array,
    judge: Judge,
) -> Chart:
    key, part = place
    mine = now if abs(part.target - request.target) < 1e-9 else None
    return of_evaluations.trust(found[key], part, profile, judge.harm, None, view.look(), mine)


def places(found: Mapping[str, Evaluations]) -> list[Place]:
    """Where enough allocations were measured to compare their order."""
    return [
        (key, part)
        for key, group in found.items()
        for part in group.slices
        if part.pattern is None and _count(group, part) >= FEWEST
    ]


def _count(group: Evaluations, part: Slice) -> int:
    return sum(each.finite for each in group.within(part))


def choose(known: list[Place], found: Mapping[str, Evaluations], target: float, pruner: str) -> Place:
    """The place that the URL names, else one of this pruner, of the nearest target, most allocations first.

    A picker is drawn where there are several.
    """
    named = {f"{key}:{part.treatment.name}:{part.target:g}": (key, part) for key, part in known}

    def far(name: str) -> tuple[bool, float, int]:
        key, part = named[name]
        return part.treatment.name != pruner, abs(part.target - target), -_count(found[key], part)

    name = view.sync("trusted", list(named), min(named, key=far))
    if len(named) > 1:
        st.selectbox(
            "Measured at",
            list(named),
            key="trusted",
            format_func=lambda each: f"{named[each][1].name} · {protocols.badge(found[named[each][0]])}",
            help="An estimate can tell the order of allocations within one protocol, target and pruner.",
        )
    return named[name]
