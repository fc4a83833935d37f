"""Names of recipes on screen: as short as tells them apart."""

from collections import Counter
from collections.abc import Iterable

from core.base import number, word
from core.methods import PRUNERS, default_pruner
from core.requests.allocations import AllocationRequest, Correction
from core.requests.recipes import Recipe

WORDS = {"objective": "aiming at"}  # in place of a parameter's name
CORRECTIONS = {"none": "corrected", "reversed": "reversed", "shuffled": "shuffled", "ramp": "ramp"}


def allocation(request: AllocationRequest, words: Iterable[str] = ()) -> str:
    """`OWL`, `OWL, corrected 0.04`, `OWL, shuffled 0.04 (2)`.

    Args:
        words: placed between the base and its correction.
    """
    fix = request.correction
    which = f" ({fix.seed})" if fix.control == "shuffled" else ""
    corrected = [f"{CORRECTIONS[fix.control]} {number(fix.strength)}{which}"] if fix.strength else []
    if request.budget_unit.levels and fix.control != "none":
        corrected = [f"{fix.control}{which}"]
    return ", ".join([request.base.title, *words, *corrected])


def long(request: AllocationRequest) -> str:
    """`OWL, m 7, corrected 0.04`: every parameter that is not its default."""
    fix, base = request.correction, request.base
    defaults = _values(AllocationRequest(base=base if base.by_hand else type(base)()))
    defaults["pruner"] = default_pruner(request.budget_unit)
    own = [
        f"{WORDS.get(name, name)} {word(value)}"
        for name, value in _values(request).items()
        if value != defaults.get(name)
    ]
    words = [allocation(request, own)]
    if fix.strength:
        words += [f"by {fix.driver}"] if fix.driver != Correction().driver else []
        words += [f"clip {fix.clip:.3g}"] if fix.clip != Correction().clip else []
    words += ["unclipped"] if request.unclipped and not request.base.by_hand else []
    return ", ".join(words)


def setting(recipe: Recipe, with_pruner: bool = True) -> str:
    """Every parameter that is not its default: `OWL, m 7, 70 % zeros, Wanda, calibration seed 1`."""
    allocation, seed = recipe.allocation, recipe.calibration_seed
    name = f"{long(allocation)}, {allocation.budget_unit.phrase(allocation.target)}"
    return _full(recipe, name, with_pruner) + f", calibration seed {seed}" * bool(seed)


def uniform_beside(repair: str | None) -> str:
    """Uniform sparsity that a setting is compared with: treated alike."""
    return "uniform with the same repair" if repair else "uniform"


def kind(recipe: Recipe) -> tuple:
    """Key of recipes that differ in parameters and correction alone."""
    fixed = recipe.allocation.target, recipe.treatment, recipe.pattern, recipe.true_sequential
    return (recipe.allocation.base.title, *fixed)


def titles(recipes: Iterable[Recipe]) -> dict[Recipe, str]:
    """A name for each recipe of a study without its calibration seed; unique within one pruner and target.

    Where recipes of one base differ in its parameters, each names those that are not its defaults, so that a
    correction is never taken for that of another base. Names still equal, as of two set by hand, get a number.
    """
    short = {each: (kind(each), allocation(each.allocation)) for each in recipes}
    several, count = len({each.pruner for each in short}) > 1, Counter(short.values())
    bases = Counter(alike for alike, _ in {(alike, each.allocation.uncorrected) for each, (alike, _) in short.items()})
    named, seen = {}, Counter()
    for each, (alike, name) in short.items():
        title = _full(each, name if bases[alike] == count[alike, name] == 1 else long(each.allocation), several)
        seen[title, each.allocation.target] += 1
        again = seen[title, each.allocation.target]
        named[each] = title if again == 1 else f"{title} #{again}"
    return named


def spoken(title: str, before: str = "") -> str:
    """A title inside a sentence, its commas in parentheses: `OWL (m 7, lam 0.2)`.

    Args:
        before: the start of the sentence; words in it are left out of the title.
    """
    method, *words = title.split(", ")
    words = [each for each in words if each not in before]
    return f"{method} ({', '.join(words)})" if words else method


def _values(request: AllocationRequest) -> dict[str, object]:
    """Parameters of the base that its title lacks, and the bounds; a row of numbers is no part of a name."""
    titled = {each.name for each in request.base.parameters() if each.titles}
    own = {} if request.base.by_hand else request.base.model_dump(exclude={"kind", *titled})
    return own | {"low": request.low, "high": request.high}


def _full(recipe: Recipe, name: str, with_pruner: bool) -> str:
    pruner, in_turn = with_pruner and PRUNERS[recipe.pruner].label, recipe.true_sequential and "true-sequential"
    return ", ".join(filter(None, [name, pruner, recipe.repaired, recipe.pattern, in_turn]))
