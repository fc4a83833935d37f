"""The methods of allocation side by side: what each gives the layers, and what that was measured to cost. No torch."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress

from core.ask import naming
from core.ask.allocations import AllocationRequest, Correction
from core.base import UserError
from core.base.spec import frozen
from core.kinds import METHODS
from core.kinds.treatments import USUAL
from core.plan import responses
from core.plan.spread import allocate, layer_means, linear_parameters
from core.results.anchors import Anchors, Prediction, same
from core.results.comparison import verdict
from core.results.evaluated import EvaluatedSetting
from core.results.evaluations import Evaluations, Slice, slice_of
from core.results.protocols import Place, place
from core.results.study_table import Row
from core.store.profiles import Profile
from core.store.results import Array

THIS = "this"  # the kind of the allocation on screen, which stands beside the methods


@frozen
class Contender:
    """One method at the target: its allocation, and the measured setting that has it."""

    kind: str
    name: str  # with the parameters that it was measured with
    sparsity: Array  # (layers,)
    measured: EvaluatedSetting | None  # None: computed with the usual parameters, and never evaluated
    predicted: Prediction | None = None  # where it was not measured

    @property
    def perplexity(self) -> float:
        """Measured, else predicted; NaN where it is neither, or not finite."""
        found = self.measured or self.predicted
        return found.perplexity if found and math.isfinite(found.perplexity) else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The ends of the measured interval, 95 %, else of the predicted one, 90 %; NaN where there is none."""
        if self.measured:
            return interval(self.measured)
        return (self.predicted.low, self.predicted.high) if self.predicted else (math.nan, math.nan)

    @property
    def spoken(self) -> str:
        return naming.spoken(self.name)

    @property
    def of_linears(self) -> bool:
        """True where it was measured with a budget for every linear: `sparsity` then has the mean of each layer."""
        return self.measured is not None and self.measured.planned.ndim == 2


def in_view(
    name: str,
    now: Array,
    profile: Profile,
    found: Evaluations | None,
    part: Slice | None,
    anchors: Anchors | None = None,
) -> Contender:
    """The allocation on screen, as it was measured where it was, else as it is predicted.

    Args:
        now: (layers,) or (layers, linears).
    """
    settings = found.within(part) if found and part else []
    mine = (each for each in settings if same(each.planned, now))
    return _contender(THIS, name, now, profile, anchors, next(mine, None))


def ranking(
    request: AllocationRequest,
    profile: Profile,
    found: Evaluations | None,
    part: Slice | None,
    anchors: Anchors | None = None,
) -> list[Contender]:
    """Every method of the table at the target of a request, lowest perplexity first, measured or else predicted.

    One that was measured with a budget for every linear too runs twice.

    Args:
        request: its target and bounds hold for the methods that were not measured.
        found, part: where measured settings are looked for; None: nothing was measured at this target.
        anchors: what predicts; None: nothing does.
    """
    known: dict[tuple[str, bool], list[EvaluatedSetting]] = defaultdict(list)
    for one in found.within(part) if found and part else ():
        base = one.setting.allocation.base
        if not one.strength and base.kind in METHODS:
            known[base.kind, base.per_linear].append(one)
    ran = []
    for (kind, _), several in known.items():
        one = max(several, key=lambda one: len(one.results))  # seeds
        ran.append(_contender(kind, naming.long(one.setting.allocation), one.planned, profile, None, one))
    computed = (_computed(kind, request, profile, anchors) for kind in METHODS if (kind, False) not in known)
    every = [*ran, *filter(None, computed)]
    return sorted(every, key=lambda each: (math.isnan(each.perplexity), each.perplexity))


def _computed(kind: str, request: AllocationRequest, profile: Profile, anchors: Anchors | None) -> Contender | None:
    """A method as computed; None where the profile lacks what it looks at.

    One that leads a layer beyond what predicts it is kept to the largest sparsity that was measured, as its name says.
    """
    base = request.base if request.base.kind == kind else METHODS[kind]()
    asked = request.replace(base=base, correction=Correction(), unclipped=False)
    found = None
    for high in (request.high, *([responses.highest(profile)] if anchors else [])):
        with suppress(UserError):  # said beside the method when it is chosen
            kept = asked.replace(high=min(high, request.high))
            one = _contender(kind, naming.long(kept), allocate(kept, profile).exact, profile, anchors)
            found = one if one.predicted else found or one
            if one.predicted:
                break
    return found


def _contender(
    kind: str,
    name: str,
    exact: Array,
    profile: Profile,
    anchors: Anchors | None,
    measured: EvaluatedSetting | None = None,
) -> Contender:
    predicted = None
    if anchors and not measured:
        with suppress(UserError):  # beyond what was measured
            predicted = anchors.one(exact)
    of_layers = exact if exact.ndim == 1 else layer_means(exact, linear_parameters(profile))
    return Contender(kind, name, of_layers, measured, predicted)


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


def lowest(groups: Iterable[Evaluations], target: float, pruner: str) -> Row | None:
    """The lowest perplexity of a target by a pruner with any repair, where all pages look; None where none is known.

    Corrections and patterns are left out.
    """

    def here(part: Slice) -> bool:
        return (part.pruner, part.pattern) == (pruner, None) and abs(part.target - target) < 1e-9

    found = place(groups, target, pruner, has=lambda _, part: here(part))
    known = found.evaluations.settings if found else ()
    known = [one for one in known if here(slice_of(one.setting)) and one.finite and not one.strength]
    return Row(found.evaluations, min(known, key=lambda one: one.perplexity)) if known else None


def interval(one: EvaluatedSetting) -> tuple[float, float]:
    """The perplexities between which its change against uniform puts it, 95 %; NaN where there is no interval."""
    change = one.against_uniform
    if change is None or not change.quoted.certain:
        return math.nan, math.nan
    factor = one.perplexity / (1 + change.quoted.value / 100)
    return factor * (1 + change.quoted.low / 100), factor * (1 + change.quoted.high / 100)


def tied(first: Contender, second: Contender) -> bool:
    """True where neither measurements nor predictions tell which of two has the lower perplexity."""
    if first.measured and second.measured:
        return verdict(first.measured.against(second.measured).quoted) != "gains"
    low, high = second.interval[0], first.interval[1]
    return not (first.perplexity if math.isnan(high) else high) < (second.perplexity if math.isnan(low) else low)
