"""Profiles beside each other: their gains on one axis, before the parts on each of them."""

from __future__ import annotations

from collections.abc import Sequence

from core.ask.commands import report_line
from core.report.exhibits import exhibit
from core.report.page import Command, Part
from core.report.profile import PREFERRED
from core.report.view import Seen
from core.show.figures import labels, overlay
from core.store.profiles import Profile

MOST = 6  # lines that can be told apart


def part(found: Sequence[Profile], seen: Seen) -> Part | None:
    """The comparison of two to six profiles that share a perturbation; None where there is nothing to compare."""
    shared = [name for name in (found[0].by_name if found else ()) if all(name in each.by_name for each in found)]
    if not 2 <= len(found) <= MOST or not shared:
        return None
    name = next((each for each in (seen.perturbation, *PREFERRED) if each in shared), shared[0])
    named = labels.beside_curves(found)
    note = " · ".join(f"{title}: {labels.source(each)}" for title, each in zip(named, found, strict=True))
    drawn = exhibit(lambda look: overlay.of_profiles(found, name, look=look), note, "compared")
    key = "-".join(each.entry.key[:6] for each in found)
    return Part(
        key=key,
        title=f"Compared: {' and '.join(named)}",
        sentences=(drawn.finding,),
        exhibits=(drawn,),
        tables=(),
        provenance=tuple((title, labels.source(each)) for title, each in zip(named, found, strict=True)),
        commands=(Command("The report:", report_line(each.entry.key for each in found)),),
    )
