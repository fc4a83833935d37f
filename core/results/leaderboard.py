"""The methods of allocation side by side: what each gives the layers, and what that was measured to cost. No torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from core.ask import naming
from core.ask.allocations import AllocationRequest, Correction
from core.base.errors import UserError
from core.base.formats import capital, listed, per_cent
from core.kinds import METHODS
from core.kinds.treatments import USUAL
from core.plan.spread import allocate, layer_means, linear_parameters
from core.results.evaluated import EvaluatedSetting
from core.results.evaluations import Evaluations, Slice
from core.results.protocols import Place, place
from core.results.verdicts import of_correction, quoted, verdict
from core.store.profiles import Profile
from core.store.results import Array

THIS = "this"  # the kind of the allocation on screen, which stands beside the methods


@dataclass(frozen=True, eq=False)
class Contender:
    """One method at the target: its allocation, and the measured setting that has it."""

    kind: str
    name: str  # with the parameters that it was measured with
    sparsity: Array  # (layers,)
    measured: EvaluatedSetting | None  # None: computed with the usual parameters, and never evaluated

    @property
    def perplexity(self) -> float:
        """NaN where it was not measured, or is not finite."""
        found = self.measured.perplexity if self.measured else math.nan
        return found if math.isfinite(found) else math.nan

    @property
    def spoken(self) -> str:
        return naming.spoken(self.name)

    @property
    def of_linears(self) -> bool:
        """True where it was measured with a budget for every linear: `sparsity` then has the mean of each layer."""
        return self.measured is not None and self.measured.planned.ndim == 2


def in_view(name: str, now: Array, profile: Profile, found: Evaluations | None, part: Slice | None) -> Contender:
    """The allocation on screen, as it was measured where it was.

    Args:
        now: (layers,) or (layers, linears).
    """
    settings = found.within(part) if found and part else []
    mine = (each for each in settings if each.planned.shape == now.shape and np.allclose(each.planned, now, atol=1e-6))
    return Contender(THIS, name, _of_layers(now, profile), next(mine, None))


def ranking(
    request: AllocationRequest, profile: Profile, found: Evaluations | None, part: Slice | None
) -> list[Contender]:
    """Every method of the table at the target of a request, lowest measured perplexity first, the unmeasured last.

    One that was measured with a budget for every linear too runs twice.

    Args:
        request: its target and bounds hold for the methods that were not measured.
        found, part: where measured settings are looked for; None: nothing was measured at this target.
    """
    plain = [each for each in found.within(part) if not each.strength] if found and part else []
    of_linears = [each for each in plain if each.setting.allocation.base.per_linear]
    of_layers = [each for each in plain if each not in of_linears]
    contenders = [_contender(kind, request, profile, of_layers) for kind in METHODS]
    contenders += [_measured(kind, profile, of_linears) for kind in METHODS]
    known = [each for each in contenders if each is not None]
    return sorted(known, key=lambda each: (math.isnan(each.perplexity), each.perplexity))


def _contender(
    kind: str, request: AllocationRequest, profile: Profile, plain: Iterable[EvaluatedSetting]
) -> Contender | None:
    """A method as it was measured, else as computed; None where the profile lacks what it looks at."""
    measured = _measured(kind, profile, plain)
    if measured:
        return measured
    base = request.base if request.base.kind == kind else METHODS[kind]()
    asked = request.model_copy(update={"base": base, "correction": Correction(), "unclipped": False})
    try:
        return Contender(kind, naming.long(asked), allocate(asked, profile).sparsity, None)
    except UserError:  # said beside the method when it is chosen
        return None


def _measured(kind: str, profile: Profile, among: Iterable[EvaluatedSetting]) -> Contender | None:
    """A method as it was measured with most calibration seeds."""
    mine = [each for each in among if each.setting.allocation.base.kind == kind]
    best = max(mine, key=lambda each: len(each.results), default=None)  # of equals the first one asked
    return best and Contender(kind, naming.long(best.setting.allocation), _of_layers(best.planned, profile), best)


def _of_layers(planned: Array, profile: Profile) -> Array:
    return planned if planned.ndim == 1 else layer_means(planned, linear_parameters(profile))


def where(
    groups: Iterable[Evaluations],
    target: float,
    pruner: str = USUAL,
    has: Callable[[Evaluations, Slice], bool] = lambda *_: True,
) -> Place | None:
    """The protocol and slice that all pages show of a target; None where nothing was measured at just that.

    Args:
        has: as `place` takes it.
    """
    found = place(groups, target, pruner, has=has)
    return found if found and abs(found.part.target - target) < 1e-9 and found.part.pattern is None else None


def interval(one: EvaluatedSetting) -> tuple[float, float]:
    """The perplexities between which its change against uniform puts it, 95 %; NaN where there is no interval."""
    change = one.against_uniform
    if change is None or not change.quoted.certain:
        return math.nan, math.nan
    factor = one.perplexity / (1 + change.quoted.value / 100)
    return factor * (1 + change.quoted.low / 100), factor * (1 + change.quoted.high / 100)


def winner(contenders: Iterable[Contender], target: float) -> str:
    """One sentence: the method with the lowest measured perplexity, and its change against uniform."""
    known = [each for each in contenders if math.isfinite(each.perplexity)]
    if len(known) < 2:
        return f"Fewer than two methods were measured at {per_cent(target)} zeros, so there is no winner yet."
    best = min(known, key=lambda each: each.perplexity)
    change = best.measured.against_uniform
    beside = f"; against uniform {quoted(change)}" if change else ""
    aim = f"of {len(known)} methods measured at {per_cent(target)} zeros"
    return f"{capital(best.spoken)} has the lowest perplexity {aim}{beside}."


def tied(first: Contender, second: Contender) -> bool:
    """True where the measurements do not tell which of two has the lower perplexity."""
    return verdict(first.measured.against(second.measured).quoted) != "gains"


def at(groups: Iterable[Evaluations], target: float) -> str:
    """One sentence for a target without measurements: the targets that have some."""
    known = sorted({part.target for found in groups for part in found.slices if part.pattern is None})
    if not known:
        return "No method was evaluated for this model yet: the Prune page measures what each one costs."
    words = listed(map(per_cent, known))
    return f"No method was measured at {per_cent(target)} zeros; measured targets: {words}."


def corrected(groups: Iterable[Evaluations], request: AllocationRequest, pruner: str = USUAL) -> str:
    """Sentences on the measured effect of the correction and its controls at this target, with the pruner and the text.

    That is where all pages look, on the base on screen, else on one of its method, else on uniform.
    """
    found, part = where(groups, request.target, pruner, lambda *at: bool(_corrections(*at))) or (None, None)
    if found is None:
        return "The correction was not measured at this target, so its strength is only an example."

    def alike(one: EvaluatedSetting) -> tuple[bool, bool, bool]:
        base = one.setting.allocation.base
        return base == request.base, base.kind == request.base.kind, base.kind == "uniform"

    mine = max(reversed(_corrections(found, part)), key=alike)  # of equals the last one asked
    text = found.provenance.get("text", "text")
    return f"Measured at {part.name} on {text}: {' '.join(of_correction(found, mine.base, mine))}"


def _corrections(found: Evaluations, part: Slice) -> list[EvaluatedSetting]:
    return [each for each in found.within(part) if each.base and each.control == "none"]
