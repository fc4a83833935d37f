"""The one grammar: allocations as they are typed, stored, linked and reported.

`owl m=5 lam=0.08:0.7`, `uniform currency=bits:3`, `response strength=0.04 driver=gaussian:0.3 control=reversed:0.6`: a
method, what is set of it, its correction, its bounds and currency, and after the last colon the target. Words of a
whole setting are added by `core.requests.recipes`. An allocation set by hand is a JSON file.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from core.base import UserError, brief, checked, exists, expanded, json_value, look_up, word
from core.methods import BASES, METHODS, UNITS, ZEROS, Manual, default_pruner
from core.requests.allocations import AllocationRequest, Correction

OF_CORRECTION = tuple(Correction.model_fields)
OF_ALLOCATION = ("low", "high", "unclipped", "currency")


def read_allocation(text: str) -> AllocationRequest:
    """`METHOD:TARGET`, or the path of a JSON file that holds a list named `sparsity`.

    Raises:
        UserError: neither, or a file that holds something else.
    """
    path = expanded(text)
    if text.endswith(".json") or (exists(path) and path.is_file()):
        return from_file(path)
    return built(*parts(text))


def method(words: str, target: float | str) -> AllocationRequest:
    """`owl m=5 lam=0.08 strength=0.04 driver=gaussian:0.3 control=reversed high=0.9` and a target.

    Raises:
        UserError: an unknown method or parameter, or a value out of range.
    """
    return built(*parts(f"{words}:{target}"))


def parts(text: str) -> tuple[str, dict[str, str], str]:
    """`owl m=5 lam=0.08:0.7` -> (`owl`, {`m`: `5`, `lam`: `0.08`}, `0.7`).

    Raises:
        UserError: no colon, an unknown method, a word that is no parameter, or one that is given twice.
    """
    words, colon, target = text.rpartition(":")
    if not colon:
        right = "write METHOD:TARGET, as in uniform:0.7, or name a .json file"
        raise UserError(f"{brief(text)} is not an allocation: {right}")
    kind, *pairs = words.split() or [""]
    look_up(METHODS, kind, "allocator")
    given = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UserError(f"{brief(pair)} in {brief(words)} is not a parameter: write name=value, as in lam=0.08")
        if name in given:
            raise UserError(f"{brief(words)} gives {name} twice: leave one out")
        given[name] = value
    return kind, given, target


def built(kind: str, given: Mapping[str, object], target: float | str, more: Iterable[str] = ()) -> AllocationRequest:
    """An allocation of its parameters by name: the method's own, the correction's and the bounds.

    Args:
        kind: one of `BASES`.
        more: what else may be said beside them, and was taken out already.

    Raises:
        UserError: as `method`.
    """
    own = [name for name in BASES[kind].model_fields if name != "kind"]
    known = [*own, *OF_CORRECTION, *OF_ALLOCATION, *more]
    odd = next((name for name in sorted(given) if name not in known), None)
    if odd is not None:
        raise UserError(f"{kind} has no parameter {brief(odd)}: it takes {', '.join(known)}")
    base, fix, whole = (
        {name: given[name] for name in names if name in given} for names in (own, OF_CORRECTION, OF_ALLOCATION)
    )
    form, counted = BASES[kind], look_up(UNITS, str(whole.get("currency", ZEROS.name)), "currency")
    if counted.levels:
        target = counted.read(target) if isinstance(target, str) else target
        if "pruner" in form.model_fields:
            base = {"pruner": default_pruner(counted)} | base
    return checked(
        AllocationRequest, base=checked(form, **base), target=target, correction=checked(Correction, **fix), **whole
    )


def from_file(path: Path) -> AllocationRequest:
    """An allocation that was written down: a JSON object with `sparsity`, a number per layer or a list per layer.

    It is called by its `name`, where it has one. Its `budget`, else the mean over layers, is the target that its
    uniform twin gets; where the model's weights make it another one, allocating says which.

    Raises:
        UserError: no such file, not JSON, no such list, or a name of other signs than letters, digits and a few more.
    """
    content = json_value(path, "allocation file")
    content = content if isinstance(content, dict) else {"sparsity": content}
    rows = content.get("sparsity")
    if not isinstance(rows, list) or not rows:
        raise UserError(f"{path.name} holds no list named sparsity, one number per layer")
    try:
        mean = float(np.mean([float(np.mean(row)) for row in rows]))
        budget = float(content.get("budget", mean))
    except (TypeError, ValueError, OverflowError) as error:
        right = "sparsity must be numbers, per layer or per linear of each layer, and budget a number"
        raise UserError(f"{brief(path.name)}: {right}") from error
    base = checked(Manual, sparsity=rows, name=content.get("name", ""))
    counted = content.get("currency", ZEROS.name)  # of bits: shares of a weight, as `allocate --json` tells them
    written = {"currency": counted, "unclipped": counted == ZEROS.name}  # what is written is what is done
    return checked(AllocationRequest, base=base, target=budget, **written)


def write(asked: AllocationRequest) -> str:
    """An allocation as `read_allocation` reads it back: `response objective=kl:0.6`.

    Raises:
        UserError: it was set by hand, and so is a file.
    """
    if asked.base.by_hand:
        raise UserError("an allocation set by hand is not written in one line: save it as a .json file")
    return f"{said(asked)}:{asked.budget_unit.write(asked.target)}"


def said(asked: AllocationRequest, more: Mapping[str, object] | None = None) -> str:
    """The words of any allocation; of one set by hand they do not tell the numbers, and so do not read back.

    Args:
        more: further words, name -> value.
    """
    fix = asked.correction.model_dump(exclude_defaults=True)
    if asked.correction.strength:
        fix = {"strength": asked.correction.strength, "driver": asked.correction.driver} | fix
    whole = asked.model_dump(include={*OF_ALLOCATION}, exclude_defaults=True)
    every = asked.base.said | fix | whole | dict(more or {})
    return " ".join([asked.base.kind, *(f"{name}={word(value)}" for name, value in every.items())])
