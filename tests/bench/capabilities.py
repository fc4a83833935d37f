"""The README's matrix of families and capabilities, every cell tried: `python -m tests.bench.capabilities`."""

from __future__ import annotations

import re

from tests.bench.marked import README, table, write
from tests.capabilities import CAPABILITIES, cell
from tests.families import FAMILIES

NAME = "families"


def tables() -> dict[str, str]:
    """Name of the place in the README -> the matrix."""
    rows = [[f"`{family}`", *(cell(family, each) for each in CAPABILITIES)] for family in FAMILIES]
    return {NAME: table(["family", *CAPABILITIES], rows)}


def told() -> dict[tuple[str, str], str]:
    """(family, capability) -> what the README says."""
    text = re.search(f"<!-- {NAME} -->\n(.*?)<!-- end", README.read_text(encoding="utf-8"), re.DOTALL)[1]
    heads, _, *rows = ([each.strip(" `") for each in line.strip("|").split("|")] for line in text.splitlines())
    return {(row[0], head): each for row in rows for head, each in zip(heads[1:], row[1:], strict=True)}


if __name__ == "__main__":
    write(tables())
