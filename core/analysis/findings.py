"""Verdicts in a sentence: which layers amplify, which absorb, which are undecided."""

from __future__ import annotations

from collections.abc import Sequence

from core.analysis.gains import FEWEST_SEQUENCES, Gains
from core.specs.formats import capital, ranges

DIRECTIONS = {"amplifies": "amplify", "absorbs": "absorb"}  # of one layer, of several


def finding(found: Gains) -> str:
    """One sentence: which layers amplify, which absorb, which are undecided. Ranges hold jointly at 95% (Holm).

    Layers that are decided, and coloured, by their own interval but not jointly are named apart.
    """
    if found.n < FEWEST_SEQUENCES:
        return f"Undecided: {found.n} sequences are too few for a verdict, {FEWEST_SEQUENCES} are needed."
    pairs = list(enumerate(zip(found.firm[:-1], found.verdicts[:-1], strict=True)))
    said = []
    for one, many in DIRECTIONS.items():
        said.append(clause([i for i, (firm, _) in pairs if firm == one], one, many))
    neither = [i for i, (firm, own) in pairs if firm == "undecided" and own not in DIRECTIONS]
    said.append(clause(neither, "is undecided", "are undecided"))
    for one, many in DIRECTIONS.items():
        said.append(by_own_interval([i for i, (firm, own) in pairs if own == one != firm], one, many))
    text = ", ".join(filter(None, said))
    return capital(text) + f" (n = {found.n})."


def clause(layers: Sequence[int], one: str, many: str) -> str:
    """`layer 3 amplifies`, `layers 3 to 5 amplify`; empty without layers."""
    return f"{named(layers)} {one if len(layers) == 1 else many}" if layers else ""


def by_own_interval(layers: Sequence[int], one: str, many: str) -> str:
    """The same of layers that Holm's correction leaves undecided."""
    ending = "by its own interval only" if len(layers) == 1 else "by their own interval only"
    return clause(layers, f"{one} {ending}", f"{many} {ending}")


def named(layers: Sequence[int]) -> str:
    """`layer 3`, `layers 3 to 5 and 7`."""
    return f"layer{'' if len(layers) == 1 else 's'} {ranges(layers)}"
