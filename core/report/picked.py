"""Picked evaluations beside each other, the first as the reference: before the parts on their studies."""

from __future__ import annotations

from collections.abc import Sequence

from core.ask.commands import report_line
from core.report.exhibits import exhibit, texts
from core.report.page import Command, Part
from core.results import protocols
from core.results.study_table import FIRST, Row, beside_first
from core.show.figures import evaluation


def part(rows: Sequence[Row]) -> Part:
    """What the page says of the picked rows: a sentence each against the first, the picture, the numbers.

    Args:
        rows: two or more.
    """
    first, *others = rows
    table = beside_first(rows)
    changes = {name: each.windows for name, each in table.changes(FIRST).items()}
    note = "; ".join(dict.fromkeys(protocols.badge(row.study) for row in rows))
    title = "Against the first"
    drawn = exhibit(lambda look: evaluation.changes(changes, None, first.called, look, title), note, "picked")
    return Part(
        key="picked",
        title=f"Compared: {first.called} and {len(others)} more",
        sentences=tuple(row.against(first) for row in others),
        exhibits=(drawn,) if changes else (),
        tables=(("The compared settings", texts(*table.texts)),),
        provenance=(("evaluated on", note),),
        commands=(Command("The studies:", report_line(dict.fromkeys(row.study.spec.key for row in rows))),),
    )
