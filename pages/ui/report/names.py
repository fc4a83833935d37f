"""How settings are called in a report: as short as tells them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from core.allocation.requests import AllocationRequest, Correction
from core.settings import Setting
from core.specs import number
from pages.ui.words import BASES, PRUNERS

CONTROLS = {"none": "corrected", "reversed": "reversed", "shuffled": "shuffled", "ramp": "ramp"}


def allocation(asked: AllocationRequest) -> str:
    """`OWL`, `OWL, corrected 0.04`, `OWL, shuffled 0.04 (2)`."""
    fix = asked.correction
    if not fix.strength:
        return BASES[asked.base.kind]
    which = f" ({fix.seed})" if fix.control == "shuffled" else ""
    return f"{BASES[asked.base.kind]}, {CONTROLS[fix.control]} {number(fix.strength)}{which}"


def methods(asked: Iterable[Setting]) -> dict[Setting, str]:
    """A name for each setting, target and calibration seed left out; where two would be alike, with all parameters."""
    listed = list(dict.fromkeys(asked))
    several = len({each.pruner for each in listed}) > 1
    short = {each: allocation(each.allocation) for each in listed}
    kinds = {(short[each], each.method) for each in listed}
    alike = Counter(name for name, _ in kinds)
    return {each: _full(each, short[each] if alike[short[each]] == 1 else each.method, several) for each in listed}


def curve(name: str, setting: Setting) -> str:
    """The curve that a setting belongs to: corrections of one base and control are one, whatever their strength."""
    fix = setting.allocation.correction
    if not fix.strength:
        return name
    plain = setting.allocation.model_copy(update={"correction": Correction()})
    control = "correction" if fix.control == "none" else CONTROLS[fix.control]
    pruner = f", {PRUNERS[setting.pruner]}" if PRUNERS[setting.pruner] in name else ""
    return f"{allocation(plain)}, {control}{pruner}"


def _full(setting: Setting, name: str, with_pruner: bool) -> str:
    words = [name] + ([PRUNERS[setting.pruner]] if with_pruner else [])
    words += [setting.pattern] if setting.pattern else []
    words += ["true-sequential"] if setting.true_sequential else []
    return ", ".join(words)
