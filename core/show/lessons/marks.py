"""References from a sentence to what it speaks of in the picture: `ends at [0.19](curve-end)`.

A mark is the name of a thing in the picture: `layer-7` and all `layers`, the `foot` that bars stand on, a `curve` with
its `curve-start` and `curve-end`, the `gauge` and its `gauge-50`, a `control-noise` and its `stop-noise-0`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

REFERENCE = re.compile(r"\[([^\[\]]+)\]\(([^()]+)\)")
EVERY = "layers"
FOOT = "foot"


def ref(text: object, *marks: str) -> str:
    """Words that light up these marks when they are pointed at."""
    return f"[{text}]({' '.join(marks)})"


def of(layer: int, text: object = None) -> str:
    """A number that belongs to a layer, by default that of the layer itself."""
    return ref(layer if text is None else text, f"layer-{layer}")


def among(layers: Iterable[int], text: object) -> str:
    """Words that speak of several layers."""
    return ref(text, *(f"layer-{each}" for each in layers))


def plain(said: str) -> str:
    """The sentence without its references and without bold words."""
    return REFERENCE.sub(r"\1", said).replace("**", "")
