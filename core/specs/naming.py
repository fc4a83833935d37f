"""How settings are called on screen: as short as tells them apart."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from core.specs.allocations import BASE_LABELS as BASES
from core.specs.allocations import AllocationRequest, Correction, Manual
from core.specs.base import number
from core.specs.pruners import PRUNER_LABELS as PRUNERS
from core.specs.pruners import REPAIRS
from core.specs.settings import Setting

CORRECTIONS = {"none": "corrected", "reversed": "reversed", "shuffled": "shuffled", "ramp": "ramp"}


def base(asked: AllocationRequest) -> str:
    """The base allocator: `OWL`."""
    return BASES[asked.base.kind]


def allocation(asked: AllocationRequest) -> str:
    """`OWL`, `OWL, corrected 0.04`, `OWL, shuffled 0.04 (2)`."""
    return ", ".join([base(asked), *_corrected(asked.correction)])


def setting(asked: Setting, others: Iterable[Setting] = ()) -> str:
    """Every parameter that is not its default, the calibration seed left out: `OWL, m 7, 70% zeros, Wanda`.

    Args:
        others: settings that it stands beside; where one of its kind differs in a parameter, that is named too.
    """
    kin = [each.allocation for each in others if kind(each) == kind(asked)]
    return _full(asked, f"{long(asked.allocation, kin)}, {asked.allocation.target:.0%} zeros", with_pruner=True)


def long(asked: AllocationRequest, others: Iterable[AllocationRequest] = ()) -> str:
    """`OWL, m 7, corrected 0.04`: every parameter that is not its default, or not that of another of its base."""
    fix = asked.correction
    words = [base(asked), *parameters(asked, others), *_corrected(fix)]
    if fix.strength:
        words += [f"by {fix.driver}"] if fix.driver != Correction().driver else []
        words += [f"clip {fix.clip:.3g}"] if fix.clip != Correction().clip else []
    words += ["unclipped"] if asked.unclipped and not isinstance(asked.base, Manual) else []
    return ", ".join(words)


def parameters(asked: AllocationRequest, others: Iterable[AllocationRequest] = ()) -> list[str]:
    """`m 7`, `lam 0.2`: those of the base and the bounds that are not as usual, or not as another's of that base."""
    usual = AllocationRequest(base=asked.base if isinstance(asked.base, Manual) else type(asked.base)())
    compared = [_values(each) for each in (usual, *others) if each.base.kind == asked.base.kind]
    own = _values(asked).items()
    return [f"{name} {_word(value)}" for name, value in own if any(each[name] != value for each in compared)]


def whole(asked: Setting) -> str:
    """Every parameter that is not its default: `OWL, m 7, 70% zeros, Wanda, calibration seed 1`."""
    words = [setting(asked)] + ([f"calibration seed {asked.calibration_seed}"] if asked.calibration_seed else [])
    return ", ".join(words)


def former(asked: Setting) -> str:
    """What a setting was called before there was one grammar: `owl m=5 lam=0.08 reversed 0.04 by skip, 70%, wanda`."""
    allocation, fix = asked.allocation, asked.allocation.correction
    own = {} if isinstance(allocation.base, Manual) else allocation.base.model_dump(exclude={"kind"})
    own |= {name: value for name, value in _bounds(allocation).items() if value != _bounds(AllocationRequest())[name]}
    words = [allocation.base.kind, *(f"{name}={_word(value)}" for name, value in own.items())]
    if fix.strength:
        words += ["corrected" if fix.control == "none" else fix.control, number(fix.strength), f"by {fix.driver}"]
        words += [f"seed {fix.seed}"] if fix.control == "shuffled" else []
        words += [f"clip {number(fix.clip)}"] if fix.clip != Correction().clip else []
    more = [asked.repair or "", asked.pattern or "", "true-sequential" if asked.true_sequential else ""]
    more += [f"calibration seed {asked.calibration_seed}" if asked.calibration_seed else ""]
    return ", ".join(filter(None, [" ".join(words), f"{allocation.target:.0%}", asked.pruner, *more]))


def kind(asked: Setting) -> tuple:
    """What settings have in common that are called alike but for parameters and correction."""
    fixed = asked.allocation.target, asked.treatment, asked.pattern, asked.true_sequential
    return (asked.allocation.base.kind, *fixed)


def titles(asked: Iterable[Setting]) -> dict[Setting, str]:
    """A name for each setting of a study, the calibration seed left out; no two of one pruner and target alike.

    Where the settings of one base differ in its parameters, those that are not as usual are named in each: a
    correction is never read as that of another base.
    """
    listed = list(dict.fromkeys(asked))
    several = len({each.pruner for each in listed}) > 1
    bases, short = defaultdict(set), Counter(map(_briefly, listed))
    for each in listed:
        bases[kind(each)].add(each.allocation.model_copy(update={"correction": Correction()}))
    found = {}
    for each in listed:
        form = long if len(bases[kind(each)]) > 1 or short[_briefly(each)] > 1 else allocation
        found[each] = _full(each, form(each.allocation), several)
    return _numbered(found)


def _briefly(asked: Setting) -> tuple:
    return kind(asked), allocation(asked.allocation)


def _corrected(fix: Correction) -> list[str]:
    """The correction in words; none at strength 0."""
    which = f" ({fix.seed})" if fix.control == "shuffled" else ""
    return [f"{CORRECTIONS[fix.control]} {number(fix.strength)}{which}"] if fix.strength else []


def _values(asked: AllocationRequest) -> dict[str, object]:
    """The base's parameters and the bounds; what is set by hand has a row of numbers, which no name can hold."""
    return asked.base.model_dump(exclude={"kind", "sparsity"}) | _bounds(asked)


def _bounds(asked: AllocationRequest) -> dict[str, float]:
    return {"low": asked.low, "high": asked.high}


def _full(setting: Setting, name: str, with_pruner: bool) -> str:
    words = [name] + ([PRUNERS[setting.pruner]] if with_pruner else [])
    words += [REPAIRS[setting.repair].label] if setting.repair else []
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


def _word(value: object) -> str:
    return number(value) if isinstance(value, float) else str(value)
