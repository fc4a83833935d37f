"""How settings are called on screen: as short as tells them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from core.allocation.requests import AllocationRequest, Correction, Manual
from core.settings import Setting
from core.specs import number
from pages.ui.words import BASES, PRUNERS

CORRECTIONS = {"none": "corrected", "reversed": "reversed", "shuffled": "shuffled", "ramp": "ramp"}


def base(asked: AllocationRequest) -> str:
    """The base allocator: `OWL`."""
    return BASES[asked.base.kind]


def allocation(asked: AllocationRequest) -> str:
    """`OWL`, `OWL, corrected 0.04`, `OWL, shuffled 0.04 (2)`."""
    fix = asked.correction
    if not fix.strength:
        return base(asked)
    which = f" ({fix.seed})" if fix.control == "shuffled" else ""
    return f"{base(asked)}, {CORRECTIONS[fix.control]} {number(fix.strength)}{which}"


def setting(asked: Setting) -> str:
    """The whole setting in a line: `OWL, corrected 0.04, 70% zeros, Wanda`."""
    words = [allocation(asked.allocation), f"{asked.allocation.target:.0%} zeros", PRUNERS[asked.pruner]]
    words += [asked.pattern] if asked.pattern else []
    words += ["true-sequential"] if asked.true_sequential else []
    return ", ".join(words)


def long(asked: AllocationRequest) -> str:
    """The same with every parameter that is not its default."""
    plain, fix = AllocationRequest(), Correction()
    said = [] if isinstance(asked.base, Manual) else asked.base.model_dump(exclude={"kind"}).items()
    words = [f"{name} {_word(value)}" for name, value in said if value != type(asked.base)().model_dump()[name]]
    words += [f"{name} {_word(getattr(asked, name))}" for name in ("low", "high") if _differs(asked, plain, name)]
    if asked.correction.strength:
        words += [f"by {asked.correction.driver}"] if _differs(asked.correction, fix, "driver") else []
        words += [f"clip {asked.correction.clip:.3g}"] if _differs(asked.correction, fix, "clip") else []
    return ", ".join([allocation(asked), *words])


def whole(asked: Setting) -> str:
    """Every parameter that is not its default: `OWL, m 7, 70% zeros, Wanda, calibration seed 1`."""
    words = [_full(asked, f"{long(asked.allocation)}, {asked.allocation.target:.0%} zeros", with_pruner=True)]
    words += [f"calibration seed {asked.calibration_seed}"] if asked.calibration_seed else []
    return ", ".join(words)


def titles(asked: Iterable[Setting]) -> dict[Setting, str]:
    """A name for each setting of a study, the calibration seed left out; no two of one pruner and target alike."""
    listed = list(dict.fromkeys(asked))
    pruners = {each.pruner for each in listed}
    found: dict[Setting, str] = {}
    for form in (allocation, long):
        names = {each: _full(each, form(each.allocation), len(pruners) > 1) for each in listed}
        count = Counter((name, each.allocation.target) for each, name in names.items())
        for each, name in names.items():
            if each not in found and (count[name, each.allocation.target] == 1 or form is long):
                found[each] = name
    return _numbered(found)


def _full(setting: Setting, name: str, with_pruner: bool) -> str:
    words = [name] + ([PRUNERS[setting.pruner]] if with_pruner else [])
    words += [setting.pattern] if setting.pattern else []
    words += ["true-sequential"] if setting.true_sequential else []
    return ", ".join(words)


def _numbered(names: dict[Setting, str]) -> dict[Setting, str]:
    """What is alike even so, such as two allocations set by hand, gets a number."""
    seen: Counter = Counter()
    found = {}
    for setting, name in names.items():
        seen[name, setting.allocation.target] += 1
        count = seen[name, setting.allocation.target]
        found[setting] = name if count == 1 else f"{name} #{count}"
    return found


def _differs(asked: object, plain: object, name: str) -> bool:
    return getattr(asked, name) != getattr(plain, name)


def _word(value: object) -> str:
    return number(value) if isinstance(value, float) else str(value)
