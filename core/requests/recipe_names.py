"""How settings are called on screen: as short as tells them apart."""

from collections import Counter
from collections.abc import Iterable

from core.base import number, word
from core.methods import PRUNERS, default_pruner
from core.requests.allocations import AllocationRequest, Correction
from core.requests.recipes import Recipe

CORRECTIONS = {"none": "corrected", "reversed": "reversed", "shuffled": "shuffled", "ramp": "ramp"}


def allocation(asked: AllocationRequest, words: Iterable[str] = ()) -> str:
    """`OWL`, `OWL, corrected 0.04`, `OWL, shuffled 0.04 (2)`.

    Args:
        words: what is said between the base and its correction.
    """
    fix = asked.correction
    which = f" ({fix.seed})" if fix.control == "shuffled" else ""
    corrected = [f"{CORRECTIONS[fix.control]} {number(fix.strength)}{which}"] if fix.strength else []
    if asked.budget_unit.levels and fix.control != "none":
        corrected = [f"{fix.control}{which}"]
    return ", ".join([asked.base.title, *words, *corrected])


def long(asked: AllocationRequest) -> str:
    """`OWL, m 7, corrected 0.04`: with every parameter that is not its default."""
    fix, base = asked.correction, asked.base
    usual = _values(AllocationRequest(base=base if base.by_hand else type(base)()))
    usual["pruner"] = default_pruner(asked.budget_unit)
    own = [f"{name} {word(value)}" for name, value in _values(asked).items() if value != usual.get(name)]
    words = [allocation(asked, own)]
    if fix.strength:
        words += [f"by {fix.driver}"] if fix.driver != Correction().driver else []
        words += [f"clip {fix.clip:.3g}"] if fix.clip != Correction().clip else []
    words += ["unclipped"] if asked.unclipped and not asked.base.by_hand else []
    return ", ".join(words)


def setting(asked: Recipe, with_pruner: bool = True) -> str:
    """Every parameter that is not its default: `OWL, m 7, 70 % zeros, Wanda, calibration seed 1`."""
    spread, seed = asked.allocation, asked.calibration_seed
    name = f"{long(spread)}, {spread.budget_unit.level(spread.target)}"
    return _full(asked, name, with_pruner) + f", calibration seed {seed}" * bool(seed)


def kind(asked: Recipe) -> tuple:
    """What settings have in common that are called alike but for parameters and correction."""
    fixed = asked.allocation.target, asked.treatment, asked.pattern, asked.true_sequential
    return (asked.allocation.base.title, *fixed)


def titles(asked: Iterable[Recipe]) -> dict[Recipe, str]:
    """A name for each setting of a study, the calibration seed left out; no two of one pruner and target alike.

    Where the settings of one base differ in its parameters, those that are not as usual are named in each: a
    correction is never read as that of another base. What is alike even so, as two set by hand, gets a number.
    """
    short = {each: (kind(each), allocation(each.allocation)) for each in asked}
    several, count = len({each.pruner for each in short}) > 1, Counter(short.values())
    bases = Counter(alike for alike, _ in {(alike, each.allocation.plain) for each, (alike, _) in short.items()})
    found, seen = {}, Counter()
    for each, (alike, name) in short.items():
        title = _full(each, name if bases[alike] == count[alike, name] == 1 else long(each.allocation), several)
        seen[title, each.allocation.target] += 1
        again = seen[title, each.allocation.target]
        found[each] = title if again == 1 else f"{title} #{again}"
    return found


def spoken(title: str, said: str = "") -> str:
    """A title within a sentence, whose commas are no part of it: `OWL (m 7, lam 0.2)`.

    Args:
        said: words that lead the sentence: what they hold is left out of the title.
    """
    method, *words = title.split(", ")
    words = [each for each in words if each not in said]
    return f"{method} ({', '.join(words)})" if words else method


def _values(asked: AllocationRequest) -> dict[str, object]:
    """The base's parameters but those in its title, and the bounds; a row of numbers is no part of a name."""
    titled = {each.name for each in asked.base.parameters() if each.titles}
    own = {} if asked.base.by_hand else asked.base.model_dump(exclude={"kind", *titled})
    return own | {"low": asked.low, "high": asked.high}


def _full(setting: Recipe, name: str, with_pruner: bool) -> str:
    pruner, in_turn = with_pruner and PRUNERS[setting.pruner].label, setting.true_sequential and "true-sequential"
    return ", ".join(filter(None, [name, pruner, setting.repaired, setting.pattern, in_turn]))
