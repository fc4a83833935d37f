"""Picked evaluations beside each other, the first as the reference: before the parts on their studies."""

from __future__ import annotations

from collections.abc import Sequence

from core.ask.commands import report_line
from core.report.exhibits import exhibit, texts
from core.report.page import Command, Part
from core.results import rows as reading
from core.results.rows import Row
from core.results.verdicts import said
from core.show.figures import evaluation


def part(rows: Sequence[Row]) -> Part:
    """What the page says of the picked rows: a sentence each against the first, the picture, the numbers.

    Args:
        rows: two or more.
    """
    base, others = rows[0], rows[1:]
    found = [reading.compared(row, base) for row in others]
    note = "; ".join(reading.badge(alike) for alike in reading.by_protocol(rows))
    names = reading.distinct([row.called for row in others], others)
    known = {name: each for name, each in zip(names, found, strict=True) if each is not None}
    drawn = [
        exhibit(lambda look: evaluation.changes(known, None, base.called, look, "Against the first"), note, "picked")
    ]
    cells = [(base.called, reading.perplexity(base.one), "the reference")]
    cells += [
        (row.called, reading.perplexity(row.one), said(each) if each else f"not compared: {reading.apart(row, base)}")
        for row, each in zip(others, found, strict=True)
    ]
    keys = dict.fromkeys(row.study.spec.key for row in rows)
    return Part(
        key="picked",
        title=f"Compared: {base.called} and {len(others)} more",
        sentences=tuple(reading.said(row, base, each) for row, each in zip(others, found, strict=True)),
        exhibits=tuple(drawn if any(each.value == each.value for each in known.values()) else ()),
        tables=(("The compared settings", texts(("setting", "perplexity", "against the first"), cells)),),
        provenance=(("evaluated on", note),),
        commands=(Command("The studies:", report_line(keys)),),
    )
