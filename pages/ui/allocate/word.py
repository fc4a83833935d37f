"""The allocation as one word of the URL, `owl m=5 lam=0.08:0.7`, and the keys of its widgets."""

from __future__ import annotations

from collections.abc import Mapping

from core.ask import grammar
from core.ask.allocations import Correction
from core.kinds import METHODS
from core.kinds.allocator import Allocator
from pages.ui import view


def _keys(method: type[Allocator]) -> dict[str, str]:
    """Field of an allocator -> key of its widget."""
    return {each.name: each.key or each.name for each in method.parameters()}


OF_CORRECTION = {each: "shuffle" if each == "seed" else each for each in Correction.model_fields}  # field -> key
OF_ALLOCATION = {each: each for each in grammar.OF_ALLOCATION}


def _read(text: str) -> dict[str, str]:
    """An allocation as the grammar writes it -> the text of each choice; of a correction, strength and what is said.

    Raises:
        UserError: it does not read so.
    """
    words, target = grammar.split(text)
    kind, given = grammar.parts(words)
    asked = grammar.built(kind, given, target)
    found = {"base": kind, "target": str(asked.target)}
    found |= {key: str(getattr(asked.base, name)) for name, key in _keys(METHODS[kind]).items()}
    found |= {key: str(getattr(asked, name)) for name, key in OF_ALLOCATION.items()}
    said = {"strength", *given}
    return found | {key: str(getattr(asked.correction, name)) for name, key in OF_CORRECTION.items() if name in said}


def _write(chosen: Mapping[str, object]) -> str:
    """The other way round, with no correction beside numbers that know neither bounds nor budget."""
    kind = str(chosen["base"])
    loose = METHODS[kind].reference and str(chosen.get("unclipped")) == "True"
    left_out = {*OF_CORRECTION} if loose else {"unclipped"}
    left_out |= set() if chosen.get("control") == "shuffled" else {"seed"}
    keys = _keys(METHODS[kind]) | OF_ALLOCATION | OF_CORRECTION
    given = {name: chosen[key] for name, key in keys.items() if key in chosen and name not in left_out}
    return grammar.write(grammar.built(kind, given, chosen["target"]))


OF_METHODS = [key for method in METHODS.values() for key in _keys(method).values()]
PARTS = ("base", "target", *OF_ALLOCATION, *OF_CORRECTION.values(), *OF_METHODS)
ALLOCATION = view.Word("allocation", PARTS, _read, _write)
