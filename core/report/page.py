"""One HTML file that opens offline: sentences, charts, numbers, provenance, and the commands that make them again.

It takes figures as JSON and the library that draws them as text; how they look is the caller's matter. Everything else
is text and is escaped by the template, `page.html.j2`. The page may load nothing and run nothing but its own two
scripts, by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from core.base.escape import legible

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


@dataclass(frozen=True)
class Table:
    """Numbers as they are written."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Exhibit:
    """A chart with what must stand beside it."""

    name: str  # for files
    title: str
    finding: str
    light: str  # a plotly figure as JSON
    dark: str  # the same for a dark page
    table: Table
    note: str  # what the numbers are of: the protocol

    @property
    def looks(self) -> dict[str, Any]:
        """Both figures."""
        return {"light": json.loads(self.light), "dark": json.loads(self.dark)}


@dataclass(frozen=True)
class Command:
    """What makes something again."""

    about: str
    text: str


@dataclass(frozen=True)
class Part:
    """What is reported of one result."""

    key: str
    title: str
    sentences: tuple[str, ...]
    exhibits: tuple[Exhibit, ...]
    tables: tuple[tuple[str, Table], ...]  # title, numbers
    provenance: tuple[tuple[str, str], ...]  # name, value
    commands: tuple[Command, ...]


def page(title: str, made: str, parts: Sequence[Part], library: str) -> str:
    """A whole HTML file.

    Args:
        made: one sentence on when and by what it was made.
        library: the source of plotly.js, which is embedded once.
    """
    library = _inside_script(library.replace("\r\n", "\n"))  # the browser hashes what it reads: line feeds alone
    return TEMPLATES.get_template("page.html.j2").render(
        title=title,
        made=made,
        parts=parts,
        policy=_policy(library, DRAW),
        style=Markup(STYLE),
        library=Markup(library),
        draw=Markup(DRAW),
    )


def _policy(*scripts: str) -> str:
    """Nothing is loaded from anywhere; of scripts these alone may run, whatever else gets into the page."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(each.encode()).digest()).decode()}'" for each in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _inside_script(source: str) -> str:
    """A script that cannot end its element early."""
    return source.replace("</script", r"<\/script").replace("<!--", r"<\!--")
