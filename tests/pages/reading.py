"""A page as plain text: a line for each element, in the order of the page."""

import re
from pathlib import Path

from core.store import Store
from tests.pages.opening import given

SILENT = ("html", "skeleton", "empty")
OF_MACHINE = ("Device",)  # its options are those of the machine
ROWS = 3  # of a table
MOST = 12  # options of a widget


def text(app):
    """The text of a page, with CACHE for the folder of its cache, and HOME for the reader's."""
    lines = [line for part in (app.sidebar, app.main) for line in _lines(part)]
    return (
        re.sub(r"</?abbr[^>]*>", "", "\n".join(lines))
        .replace(str(Store().root), "CACHE")
        .replace(f"{Path.home()}/", "HOME/")
        + "\n"
    )


def _lines(node):
    """The lines of a block, those inside a named one further in."""
    for child in node.children.values():
        if hasattr(child, "children"):
            name = getattr(getattr(child.proto, child.type, None), "label", "") if child.proto else ""
            yield from [f"[{child.type}] {name}"] * bool(name)
            yield from (f"  {line}" if name else line for line in _lines(child))
        elif child.type not in SILENT:
            yield from _element(child)


def _element(element):
    write = {
        "dataframe": _table,
        "table": _table,
        "bidi_component": _picture,
        "page_link": lambda each: [f"-> {each.proto.label} ({each.proto.page}?{each.proto.query_string})"],
        "plotly_chart": lambda each: each.proto.alt.splitlines(),
        "imgs": lambda each: [image.alt for image in each.proto.imgs],
        "metric": lambda each: [f"{each.label}: {each.value} {each.delta}"],
    }.get(element.type, _widget)
    for line in write(element):
        yield f"[{element.type}] {line}".rstrip()


def _table(element):
    table = element.value
    yield f"{len(table)} x {' | '.join(map(str, table.columns))}"
    yield from (" | ".join(map(_cell, row)) for row in table.head(ROWS).itertuples(index=False))


def _cell(value):
    """Four digits of a number: the last ones differ between machines."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _picture(element):
    if "theme" in element.proto.component_name:  # it shows nothing
        return
    data = given(element)
    yield from (f"{name}: {data[name]}" for name in ("title", "lead", "says", "finding") if data.get(name))
    yield f"{data['state']}"


def _widget(element):
    proto = element.proto
    label, options = getattr(proto, "label", ""), list(getattr(element, "options", ()))[:MOST]
    options = f" of {', '.join(options)}" if options and label not in OF_MACHINE else ""
    off = " (off)" if getattr(proto, "disabled", False) else ""
    value = getattr(element, "value", getattr(proto, "data", ""))
    return f"{label}{': ' if label else ''}{value}{options}{off}".splitlines()
