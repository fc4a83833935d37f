"""One HTML file that opens offline: sentences, charts, numbers, their origin, and the command that makes them again.

Everything but the figures is text and is escaped by the template, `page.html.j2`. The page may load nothing and run
nothing but its own two scripts, by their hashes.
"""

import base64
import hashlib
import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from core.base import legible
from core.show.figures.palette import DARK, LIGHT
from core.show.figures.style import Chart, themed

HERE = Path(__file__).parent
STYLE = (HERE / "page.css").read_text(encoding="utf-8").strip()
DRAW = (HERE / "page.js").read_text(encoding="utf-8").strip()
TEMPLATES = Environment(
    loader=FileSystemLoader(HERE),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=lambda value: legible(value) if type(value) is str else value,
)
TEMPLATES.policies["json.dumps_kwargs"] = {"separators": (",", ":")}


Table = list[tuple[str, ...]]  # its heads, then a row each


class Exhibit(NamedTuple):
    """A chart with what must stand beside it."""

    name: str  # for files
    title: str
    finding: str
    looks: dict[str, Any]  # plotly figures for light and dark pages
    table: Table
    note: str  # the protocol


@dataclass(frozen=True)
class Report:
    """Everything that is reported of one result."""

    title: str
    sentences: tuple[str, ...]
    exhibits: tuple[Exhibit, ...]
    table: Table
    origin: tuple[tuple[str, str], ...]  # name, value
    commands: tuple[tuple[str, str], ...]  # what each does, and its text


def exhibit(chart: Chart, note: str, prefix: str, of: str) -> Exhibit:
    """A chart for light and for dark pages.

    Args:
        note: the protocol.
        prefix: begins the name of a downloaded picture.
        of: what its title names in brackets.
    """
    looks = {name: json.loads(themed(chart, look).to_json()) for name, look in (("light", LIGHT), ("dark", DARK))}
    numbers = table([chart.table.columns, *chart.table.itertuples(index=False)])
    name = re.sub(r"[^\w.]+", "-", f"{prefix} {of} {chart.name}")
    return Exhibit(name, f"{chart.title} ({of})", chart.finding, looks, numbers, note)


def table(rows: Iterable[Iterable[object]]) -> Table:
    """Heads and rows of values, numbers with five digits."""
    return [tuple(map(_written, row)) for row in rows]


def _written(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.5g}" if math.isfinite(value) else "not a number" if math.isnan(value) else "infinite"
    return str(value)


def page(report: Report, made: str, library: str) -> str:
    """A whole HTML file.

    Args:
        made: one sentence on when and by what it was made.
        library: the source of plotly.js, which is embedded.
    """
    library = library.replace("\r\n", "\n")  # the browser hashes what it reads: line feeds alone
    library = library.replace("</script", r"<\/script").replace("<!--", r"<\!--")  # it cannot end its element early
    trusted = {"style": Markup(STYLE), "library": Markup(library), "draw": Markup(DRAW)}
    hashed = (base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in (library, DRAW))
    only = " ".join(f"'sha256-{each}'" for each in hashed)  # of scripts these may run, whatever else gets into the page
    policy = (
        f"default-src 'none'; script-src {only}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    return TEMPLATES.get_template("page.html.j2").render(report=report, made=made, policy=policy, **trusted)
