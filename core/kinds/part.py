"""Parts of a layer as they are written: `attention`, `mlp`, `head:3`; `core.measure.layer_parts` finds them."""

import re
from typing import Annotated

from pydantic import AfterValidator

ATTENTION, MLP, HEAD = "attention", "mlp", "head"
EVERY_HEAD = f"{HEAD}:each"  # stands for every head, one measurement for each
WRITTEN = re.compile(rf"{ATTENTION}|{MLP}|{HEAD}:(?:each|0|[1-9]\d{{0,3}})")


def head_of(part: str) -> int | None:
    """The number of a head; None of another part."""
    _, _, number = part.partition(":")
    return int(number) if number.isdecimal() else None


def label(part: str) -> str:
    """In words: `attention`, `MLP`, `head 3`; nothing for the whole layer."""
    return "MLP" if part == MLP else part.replace(":", " ")


def _written(part: str) -> str:
    if part and not WRITTEN.fullmatch(part):
        raise ValueError(f"a part of a layer is {ATTENTION}, {MLP} or {HEAD}:3, with the number of a head")
    return part


Part = Annotated[str, AfterValidator(_written)]
