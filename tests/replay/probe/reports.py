"""The numbers in the tables of reports: of all that is committed, and of a tiny model's profile, study and search.

A cell that begins with a number gives all its numbers; of words, verdicts alone count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from tests.replay.probe import live
from tests.replay.probe.asked import ASKED
from tests.replay.probe.plain import NUMBER, numbers

VERDICTS = {"amplifies", "absorbs", "undecided", "costs", "gains", "no different", "not a number", "infinite"}
Row = list[str]


def figures(scratch: Path) -> Iterator[tuple[str, Any]]:
    """A report for each result."""
    keys = {key: key for key in (*ASKED["profiles"], *ASKED["studies"])}
    keys |= {"live-profile": live.measured(scratch, "llama"), "live-study": live.study(scratch)["key"]}
    keys |= {"live-best": live.best(scratch, "target")["key"]}
    for name, key in keys.items():
        file = scratch / f"report-{name}.html"
        live.told("report", key, "--out", str(file))
        for title, rows in tables(file.read_text(encoding="utf-8")):
            yield f"{name}/{title}", [[_cell(text) for text in row] for row in rows]


def tables(html: str) -> list[tuple[str, list[Row]]]:
    """The tables with a head, each by the file name of the chart above it, else by its place among the others."""
    reader = _Reader()
    reader.feed(html)
    seen: Counter[str] = Counter()
    named = []
    for chart, rows in reader.tables:
        seen[chart] += 1
        named.append((f"{chart or 'table'}-{seen[chart]}", rows))
    return named


def _cell(text: str) -> Any:
    said = text.strip()
    if NUMBER.match(said.lstrip("[(")):
        return numbers(said)
    return said if said in VERDICTS else None


class _Reader(HTMLParser):
    """Collects (chart, rows of cells)."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[tuple[str, list[Row]]] = []
        self.chart, self.rows, self.headed, self.inside = "", [], False, False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "div" and dict(attrs).get("class") == "chart":
            self.chart = dict(attrs).get("data-name") or ""
        elif tag == "table":
            self.rows, self.headed = [], False
        elif tag == "thead":
            self.headed = True
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self.inside = True

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.rows[-1][-1] += data

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self.inside = False
        elif tag == "table" and self.headed:
            self.tables.append((self.chart, self.rows[1:]))
        elif tag == "figure":
            self.chart = ""
