"""The one grammar in which allocations are typed, stored, linked and reported.

`owl m=5 lam=0.08:0.7`, `uniform currency=bits:3`, `response strength=0.04 driver=gaussian:0.3 control=reversed:0.6`: a
method, its parameters, its correction, bounds and currency, and after the last colon the target.
`core.requests.recipes` adds the words of a whole recipe. An allocation set by hand is a JSON file.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from core.base import UserError, access, brief, checked, exists, expanded, json_value, look_up, word
from core.methods import BASES, METHODS, UNITS, ZEROS, Manual, default_pruner, harmed_as, pruners_counting
from core.requests.allocations import AllocationRequest, Correction

OF_CORRECTION = tuple(Correction.model_fields)
OF_ALLOCATION = ("low", "high", "unclipped", "currency", "outside")


def read_allocation(text: str, at_most: str | None = None, pruner: str | None = None) -> AllocationRequest:
    """Read `METHOD:TARGET`, or a JSON file that holds a list named `sparsity`.

    Args:
        at_most: bytes of all weights, as in `60MB`: the target in the text is ignored then, and may be left out.
        pruner: what will be applied: its curves are read where the text names none and a budget of levels is spent.

    Raises:
        UserError: neither, or a file without such a list.
    """
    if at_most is not None:
        kind, parameters, _ = parse(text if ":" in text else f"{text}:0")
        return checked(AllocationRequest, **dict(build(kind, parameters, 0.0, pruner=pruner)) | {"at_most": at_most})
    path = expanded(text)
    if text.endswith(".json") or (exists(path) and path.is_file()):
        return from_file(path)
    return build(*parse(text), pruner=pruner)


def parse(text: str) -> tuple[str, dict[str, str], str]:
    """Split `owl m=5 lam=0.08:0.7` into (`owl`, {`m`: `5`, `lam`: `0.08`}, `0.7`).

    Raises:
        UserError: no colon, an unknown method, a word that is no parameter, or a repeated one.
    """
    words, colon, target = text.rpartition(":")
    if not colon:
        right = "write METHOD:TARGET, as in uniform:0.7, or name a .json file"
        raise UserError(f"{brief(text)} is not an allocation: {right}")
    kind, *pairs = words.split() or [""]
    look_up(METHODS, kind, "allocator")
    parameters = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UserError(f"{brief(pair)} in {brief(words)} is not a parameter: write name=value, as in lam=0.08")
        if name in parameters:
            raise UserError(f"{brief(words)} gives {name} twice: leave one out")
        parameters[name] = value
    return kind, parameters, target


def build(
    kind: str,
    parameters: Mapping[str, object],
    target: float | str,
    more: Iterable[str] = (),
    pruner: str | None = None,
) -> AllocationRequest:
    """An allocation from named parameters: the method's own, the correction's and the bounds.

    Args:
        kind: one of `BASES`.
        more: further words of the grammar, taken out of `parameters` already; refusals list them.
        pruner: as for `read_allocation`.

    Raises:
        UserError: an unknown parameter, or a value out of range.
    """
    own = [name for name in BASES[kind].model_fields if name != "kind"]
    allowed = [*own, *OF_CORRECTION, *OF_ALLOCATION, *more]
    if odd := sorted(parameters.keys() - {*allowed}):
        raise UserError(f"{kind} has no parameter {brief(odd[0])}: it takes {', '.join(allowed)}")
    base, fix, bounds = (
        {name: parameters[name] for name in names if name in parameters}
        for names in (own, OF_CORRECTION, OF_ALLOCATION)
    )
    form, budget_unit = BASES[kind], look_up(UNITS, str(bounds.get("currency", ZEROS.name)), "currency")
    if budget_unit.levels:
        target = budget_unit.read(target) if isinstance(target, str) else target
        if "pruner" in form.model_fields:
            applied = pruner if pruner in pruners_counting(budget_unit) else default_pruner(budget_unit)
            base = {"pruner": harmed_as(applied)} | base
    return checked(
        AllocationRequest, base=checked(form, **base), target=target, correction=checked(Correction, **fix), **bounds
    )


def from_file(path: Path) -> AllocationRequest:
    """Read an allocation file: a JSON object with `sparsity`, a number per layer or a list per layer.

    `name` is optional. `budget`, else the mean over layers, is the target of its uniform twin; where the model's
    weights make it another one, allocating says which.

    Raises:
        UserError: no such file, not JSON, no such list, or a name with characters other than letters, digits and a few
            more.
    """
    content = json_value(access.inside(path), "allocation file")
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
    currency = content.get("currency", ZEROS.name)  # of bits: shares of a weight, as `allocate --json` writes them
    written = {"currency": currency, "unclipped": currency == ZEROS.name}  # the numbers of a file are used unchanged
    return checked(AllocationRequest, base=base, target=budget, **written)


def write(allocation: AllocationRequest) -> str:
    """Write an allocation in the form that `read_allocation` reads back: `response objective=kl:0.6`.

    Raises:
        UserError: it was set by hand, so only a file holds it.
    """
    if allocation.base.by_hand:
        raise UserError("an allocation set by hand is not written in one line: save it as a .json file")
    return f"{words_of(allocation)}:{allocation.budget_unit.write(allocation.target)}"


def words_of(allocation: AllocationRequest, more: Mapping[str, object] | None = None) -> str:
    """The words of any allocation; those of one set by hand leave out its numbers, and so do not read back.

    Args:
        more: further words, name -> value.
    """
    fix = allocation.correction.model_dump(exclude_defaults=True)
    if allocation.correction.strength:
        fix = {"strength": allocation.correction.strength, "driver": allocation.correction.driver} | fix
    bounds = allocation.model_dump(include={*OF_ALLOCATION}, exclude_defaults=True)
    every = allocation.base.said | fix | bounds | dict(more or {})
    return " ".join([allocation.base.kind, *(f"{name}={word(value)}" for name, value in every.items())])
