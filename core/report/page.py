"""One HTML file that opens offline: sentences, charts, numbers, provenance, and the commands that make them again.

It takes figures as JSON and the library that draws them as text; how they look is the caller's matter. Everything else
is text and is escaped here. The page may load nothing and run nothing but its own two scripts, by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

STYLE = """
:root { color-scheme: light dark; --ink: #31333f; --soft: #61646e; --line: #d7d9df; --page: #ffffff; --box: #f5f6f8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #fafafa; --soft: #a9adb8; --line: #3c404a; --page: #0e1117; --box: #1a1d26; }
}
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1, h2, h3 { line-height: 1.2; }
h2 { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: 1.5rem; }
h3 { margin: 2rem 0 0.5rem; }
figure { margin: 0; }
figcaption, .note { color: var(--soft); font-size: 0.875rem; }
.finding { margin: 0.25rem 0; }
.drawn .without, :root:not(.drawn) .chart { display: none; }
.scroll { overflow: auto; max-height: 26rem; }
table { border-collapse: collapse; font-size: 0.875rem; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--line); padding: 0.2rem 0.75rem 0.2rem 0; text-align: left;
  vertical-align: top; }
thead th { position: sticky; top: 0; background: var(--page); }
pre { background: var(--box); padding: 0.75rem; overflow-x: auto; white-space: pre-wrap; font-size: 0.85rem; }
summary { cursor: pointer; color: var(--soft); }
""".strip()
DRAW = """
"use strict";
const dark = matchMedia("(prefers-color-scheme: dark)");
function draw() {
  for (const place of document.querySelectorAll(".chart")) {
    const looks = JSON.parse(document.getElementById(place.dataset.figure).textContent);
    const figure = dark.matches ? looks.dark : looks.light;
    Plotly.react(place, figure.data, figure.layout, {
      displaylogo: false,
      responsive: true,
      toImageButtonOptions: { format: "svg", filename: place.dataset.name },
    });
  }
}
document.documentElement.classList.add("drawn");
draw();
dark.addEventListener("change", draw);
""".strip()
WITHOUT_SCRIPTS = "The charts need JavaScript. Their findings and all their numbers are readable without it."


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
    body = [f"<h1>{escape(title)}</h1>", f'<p class="note">{escape(made)}</p>']
    body += [f'<p class="without">{escape(WITHOUT_SCRIPTS)}</p>']
    body += [_contents(parts)] if len(parts) > 1 else []
    body += [_part(part, f"part-{index}") for index, part in enumerate(parts)]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{escape(_policy(library, DRAW))}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer"><link rel="icon" href="data:,">',
            f"<title>{escape(title)}</title><style>{STYLE}</style></head>",
            "<body><main>",
            *body,
            "</main>",
            f"<script>{library}</script>",
            f"<script>{DRAW}</script>",
            "</body></html>\n",
        ]
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


def _contents(parts: Sequence[Part]) -> str:
    items = "".join(f'<li><a href="#part-{index}">{escape(part.title)}</a></li>' for index, part in enumerate(parts))
    return f"<nav><ul>{items}</ul></nav>"


def _part(part: Part, place: str) -> str:
    said = [f'<section id="{place}"><h2>{escape(part.title)}</h2>', *map(_p, part.sentences)]
    said += [_exhibit(each, f"{place}-{index}") for index, each in enumerate(part.exhibits)]
    said += [f"<h3>{escape(title)}</h3>{_table(table)}" for title, table in part.tables]
    said += ["<h3>Where the numbers come from</h3>", _provenance(part.provenance), "<h3>To make it again</h3>"]
    said += [f"{_p(each.about)}<pre><code>{escape(each.text)}</code></pre>" for each in part.commands]
    return "\n".join([*said, "</section>"])


def _exhibit(each: Exhibit, place: str) -> str:
    looks = f'{{"light":{_data(each.light)},"dark":{_data(each.dark)}}}'
    height = int(json.loads(each.light).get("layout", {}).get("height", 400))
    alt = escape(f"{each.title}. {each.finding}")
    return "\n".join(
        [
            f"<figure><h3>{escape(each.title)}</h3>",
            f'<div class="chart" role="img" aria-label="{alt}" data-figure="{place}" data-name="{escape(each.name)}"'
            f' style="min-height:{height}px"></div>',
            f'<script type="application/json" id="{place}">{looks}</script>',
            f'<p class="finding">{escape(each.finding)}</p>',
            f"<figcaption>{escape(each.note)}</figcaption>",
            f"<details><summary>Numbers</summary>{_table(each.table)}</details></figure>",
        ]
    )


def _data(figure: str) -> str:
    """JSON that reads the same and holds nothing a browser could take for markup."""
    for sign in "<>&\u2028\u2029":
        figure = figure.replace(sign, f"\\u{ord(sign):04x}")
    return figure


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in table.columns)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(each)}</td>' for each in row)}</tr>" for row in table.rows)
    return f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _provenance(rows: Sequence[tuple[str, str]]) -> str:
    lines = "".join(f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in rows)
    return f"<table><tbody>{lines}</tbody></table>"


def _p(text: str) -> str:
    return f"<p>{escape(text)}</p>"
