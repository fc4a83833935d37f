"""Chapters 5 and 6: the correction on top of OWL, what pruning each layer does, and what was measured of all."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from core.ask.allocations import AllocationRequest, Correction
from core.base.errors import UserError
from core.base.formats import digits, per_cent, times
from core.kinds.owl import Owl
from core.plan import responses
from core.plan.estimates import estimates
from core.plan.spread import family
from core.results.comparison import spearman
from core.results.evaluated import EvaluatedSetting
from core.results.evaluations import Evaluations
from core.results.propagation import unreadable
from core.results.protocols import Place, place
from core.results.verdicts import beside
from core.show.lessons.shared import DRIVER, EVERY, TARGET, Scale, between, check_several, of, ordinal, ref, scale
from core.store.profiles import Profile
from core.store.results import Array

LARGEST_PUSH = 0.1  # sparsity units, the correction's strength at the ends of the slider
PUSHES = 51  # steps on either side of none


@dataclass(frozen=True, eq=False)
class Push:
    """The correction and, on the left of zero, its reverse, on top of OWL."""

    request: AllocationRequest  # without correction
    strengths: Array  # (steps,) sparsity units; negative: the reversed control
    base: Array  # (layers,)
    rows: Array  # (steps, layers)
    harm: Array  # (steps,) additive estimate of the KL divergence, nats
    said: str

    @property
    def best(self) -> int:
        """The step whose estimate is lowest."""
        return _lowest(self.harm)


def correction(profile: Profile) -> Push:
    """OWL at 70 % with the correction pushed either way.

    Raises:
        UserError: the model cannot be pruned, or the profile lacks the driver or the residuals of two sparsities.
    """
    plain = AllocationRequest(base=Owl(), target=TARGET)
    half = np.linspace(0, LARGEST_PUSH, PUSHES).round(6)
    sides = []
    for control in ("reversed", "none"):
        asked = plain.model_copy(update={"correction": Correction(driver=DRIVER, control=control)})
        sides.append(family(asked, profile, half))
    rows = np.concatenate([sides[0][:0:-1], sides[1]])
    strengths = np.concatenate([-half[:0:-1], half])
    harm = estimates(rows, profile, "kl")
    return Push(plain, strengths, rows[PUSHES - 1], rows, harm, _push_said(strengths, harm))


def _lowest(harm: Array) -> int:
    """The lowest step, of equals the one that corrects least; the first where one is not known."""
    if not np.isfinite(harm).all():
        return int(harm.argmin())
    lowest = np.flatnonzero(np.isclose(harm, harm.min(), rtol=1e-9, atol=0))
    return int(lowest[np.abs(lowest - len(harm) // 2).argmin()])


def _push_said(strengths: Array, harm: Array) -> str:
    if not np.isfinite(harm).all():
        return "Some of these allocations exceed the largest sparsity measured, so not all can be estimated."
    last, middle, best = len(harm) - 1, len(harm) // 2, _lowest(harm)
    with_it, reverse, alone = (ref(digits(harm[step], 3), f"gauge-{step}") for step in (last, 0, middle))
    full = ref(f"{strengths[last]:g}", "gauge-0", f"gauge-{last}")
    return (
        f"At strength {full}, the estimated harm is {with_it} nats with the correction and {reverse} with its reverse, "
        f"against {alone} for OWL alone. The estimate favours {_favoured(strengths[best], best)}."
    )


def _favoured(strength: float, step: int) -> str:
    if abs(strength) < 1e-12:
        return "no correction"
    side = "the correction" if strength > 0 else "the reverse"
    return f"{side}, at strength {ref(f'{abs(strength):g}', f'gauge-{step}')}"


@dataclass(frozen=True, eq=False)
class Alone:
    """What pruning each layer alone does to the output."""

    sparsities: Scale
    harm: Array  # (steps, layers) KL divergence, nats
    worst: int  # the layer that hurts most at the usual sparsity
    at: int  # the step of the usual sparsity
    notes: tuple[str, ...]  # (steps) which layer hurts most

    @property
    def said(self) -> str:
        return self.notes[self.at]

    def judged(self, layer: int) -> tuple[str, ...]:
        """(steps) what is said to a guess of the layer that hurts most."""
        return tuple(_judged(*each, layer) for each in zip(self.sparsities.values, self.harm, strict=True))


def prune(profile: Profile) -> Alone:
    """One-layer harms by Wanda over sparsity.

    Raises:
        UserError: fewer than two sparsities were measured, the model has one layer, or a harm is not finite.
    """
    check_several(profile)
    measured, harm = responses.measured(profile, "wanda", "kl")
    responses.check_finite(harm)
    sparsities = scale(measured.tolist(), logarithmic=False)
    at = sparsities.measured[int(np.abs(measured - TARGET).argmin())]
    table = between(sparsities, harm.T)
    notes = tuple(_alone_said(*each) for each in zip(sparsities.values, table, strict=True))
    return Alone(sparsities, table, int(table[at].argmax()), at, notes)


def _alone_said(sparsity: float, harm: Array) -> str:
    worst, runner_up = (int(each) for each in np.argsort(-harm)[:2])
    zeros, half = ref(per_cent(sparsity), "control-zeros"), float(np.median(harm))
    if unreadable(harm[worst]):
        return f"Pruned alone to {zeros} zeros, no layer does more harm than rounding can."
    said = f"Pruned alone to {zeros} zeros, layer {of(worst)} hurts most: {of(worst, digits(harm[worst]))} nats"
    if unreadable(harm[runner_up]):
        return f"{said}; others do no more than rounding can."
    said += f", {of(worst, times(harm[worst] / harm[runner_up]))} the next (layer {of(runner_up)})"
    if unreadable(half):
        return f"{said}; half of the layers do no more than rounding can."
    return f"{said} and {ref(times(harm[worst] / half), EVERY)} the median."


def rank(harm: Array, layer: int) -> str:
    """Where a layer stands among all, the most harm first: `8th of 30`."""
    return f"{ordinal(int((harm > harm[layer]).sum()) + 1)} of {len(harm)}"


def _judged(sparsity: float, harm: Array, layer: int) -> str:
    worst = int(harm.argmax())
    zeros = ref(per_cent(sparsity), "control-zeros")
    if harm[layer] == harm[worst]:
        return f"**Right.** At {zeros} zeros, your pick, layer {of(layer)}, hurts most."
    more = of(worst, times(harm[worst] / harm[layer]))
    return (
        f"**Wrong.** At {zeros} zeros, your pick, layer {of(layer)}, ranks {of(layer, rank(harm, layer))} "
        f"({of(layer, digits(harm[layer]))} nats). Layer {of(worst)} does {more} the harm."
    )


def measured(known: Iterable[Evaluations]) -> Place | None:
    """The allocations of the tour's target or, where none was pruned to that, of the nearest, as all pages choose them.

    None where nothing was measured.
    """
    return place(known, TARGET)


def estimated(found: Place, profile: Profile) -> Array:
    """(settings,) additive estimate of the KL divergence, nats; NaN where it is not known."""
    return np.array([_estimate(each.planned, profile) for each in found.settings])


def _estimate(planned: Array, profile: Profile) -> float:
    if planned.ndim != 1 or len(planned) != profile.layers:
        return math.nan
    try:
        return float(estimates(planned[None], profile, "kl")[0])
    except UserError:
        return math.nan


def measured_said(found: Place, profile: Profile) -> str:
    """Which allocation was measured best, and whether the estimates had ranked them so."""
    known = _known(found)
    if len(known) < 2:
        return ranked(found)
    estimate = estimated(found, profile)[[math.isfinite(each.perplexity) for each in found.settings]]
    agreement = spearman(estimate, np.array([each.perplexity for each in known]))
    if not math.isfinite(agreement):
        return ranked(found)
    count = int(np.isfinite(estimate).sum())
    which = "" if count == len(known) else f" over the {count} that could be estimated"
    return f"{ranked(found)} The rank correlation between estimate and measurement{which} is {agreement:.2f}."


def ranked(found: Place) -> str:
    """Which allocation was measured best, and which worst."""
    known = _known(found)
    if len(known) < 2:
        return "Fewer than two allocations were measured, so there is nothing to compare."
    best, worst = (pick(known, key=lambda each: each.perplexity) for pick in (min, max))
    return (
        f"Measured at {_aim(found.part.target)}, “{best.name}” is best ({_cost(best)}) and “{worst.name}” worst "
        f"({_cost(worst)})."
    )


def _known(found: Place) -> list[EvaluatedSetting]:
    return [each for each in found.settings if math.isfinite(each.perplexity)]


def _cost(one: EvaluatedSetting) -> str:
    """`perplexity 403: 64 % [60, 68] below uniform, one calibration seed`; of uniform itself the perplexity alone."""
    change = one.against_uniform
    perplexity = f"perplexity {digits(one.perplexity, 3)}"
    return perplexity if change is None else f"{perplexity}: {beside(change, 'uniform')}"


def _aim(target: float) -> str:
    """A target in words; one that the tour does not speak of is said to be the nearest."""
    near = abs(target - TARGET) < 1e-9
    return f"{per_cent(target)} zeros" + ("" if near else f" (nothing was measured at {per_cent(TARGET)})")
