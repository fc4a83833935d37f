"""Kinds by name: a table in specs names where the code of a kind lies, as text, and loads it from there.

What a kind is, how it is called, what can be asked of it and what it does is said in that one place.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def load(place: str) -> Any:
    """What `core.pruning.wanda:wanda` names: module, colon, name in it."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
