"""Chapters 5 and 6: the correction on top of OWL, and what pruning each layer alone does."""

import numpy as np

from core.base import digits, frozen, per_cent, times
from core.methods.owl import Owl
from core.plan import responses
from core.plan.allocation import family
from core.plan.curves import check_finite
from core.requests import AllocationRequest, Correction
from core.results import Forecast
from core.results.propagation import unreadable
from core.show.lessons.shared import DRIVER, EVERY, TARGET, Noted, check_several, of, ordinal, ref
from core.store import Array, Profile

LARGEST_PUSH = 0.1  # sparsity units, the correction's strength at the ends of the slider
PUSHES = 51  # steps on either side of none


@frozen
class Push:
    """The correction and, on the left of zero, its reverse, on top of OWL."""

    request: AllocationRequest  # without correction
    strengths: Array  # (steps,) sparsity units; negative: the reversed control
    base: Array  # (layers,)
    rows: Array  # (steps, layers)
    perplexity: Array  # (steps,) predicted; NaN where that cannot be
    sentence: str


def correction(profile: Profile, forecast: Forecast | None = None) -> Push:
    """OWL at 70 % with the correction pushed either way.

    Args:
        forecast: the evaluated settings that predict; None where too few were evaluated.

    Raises:
        UserError: the model cannot be pruned, or the profile lacks the driver or the residuals of two sparsities.
    """
    responses.highest(profile)
    plain = AllocationRequest(base=Owl(), target=TARGET)
    half = np.linspace(0, LARGEST_PUSH, PUSHES).round(6)
    fixes = (Correction(driver=DRIVER, control=control) for control in ("reversed", "none"))
    reverse, forward = (family(plain.replace(correction=fix), profile, half) for fix in fixes)
    rows = np.concatenate([reverse[:0:-1], forward])
    strengths = np.concatenate([-half[:0:-1], half])
    perplexity = forecast.perplexities(rows).value if forecast else np.full(len(rows), np.nan)
    return Push(plain, strengths, rows[PUSHES - 1], rows, perplexity, _push_said(strengths, perplexity))


def lowest(perplexity: Array) -> int:
    """The lowest step, of equals the one that corrects least; all are finite."""
    alike = np.flatnonzero(np.isclose(perplexity, perplexity.min(), rtol=1e-9, atol=0))
    return int(alike[np.abs(alike - len(perplexity) // 2).argmin()])


def _push_said(strengths: Array, perplexity: Array) -> str:
    if np.isnan(perplexity).all():
        return "No perplexity is predicted: too few settings of this model were evaluated by Wanda."
    if not np.isfinite(perplexity).all():
        return "Some of these allocations exceed the largest sparsity measured, so not all can be predicted."
    last, middle, best = len(perplexity) - 1, len(perplexity) // 2, lowest(perplexity)
    with_it, reverse, alone = (ref(digits(perplexity[step], 3), f"gauge-{step}") for step in (last, 0, middle))
    full = ref(f"{strengths[last]:g}", "gauge-0", f"gauge-{last}")
    return (
        f"At strength {full}, the predicted perplexity is {with_it} with the correction and {reverse} with its "
        f"reverse, against {alone} for OWL alone. The lowest is {_favoured(strengths[best], best)}."
    )


def _favoured(strength: float, step: int) -> str:
    if abs(strength) < 1e-12:
        return "without a correction"
    side = "with the correction" if strength > 0 else "with the reverse"
    return f"{side}, at strength {ref(f'{abs(strength):g}', f'gauge-{step}')}"


@frozen
class Alone(Noted):
    """What pruning each layer alone does to the output."""

    sparsities: list[float]  # ascending
    harm: Array  # (sparsities, layers) KL divergence, nats


def prune(profile: Profile) -> Alone:
    """One-layer harms by Wanda over sparsity.

    Raises:
        UserError: fewer than two sparsities were measured, the model has one layer, or a harm is not finite.
    """
    check_several(profile)
    measured, harm = responses.measured(profile, "wanda", "kl")
    check_finite(harm)
    at = int(np.abs(measured - TARGET).argmin())
    notes = tuple(_alone_said(*each) for each in zip(measured, harm.T, strict=True))
    return Alone(notes, at, measured.tolist(), harm.T)


def _alone_said(sparsity: float, harm: Array) -> str:
    worst, half = int(harm.argmax()), float(np.median(harm))
    zeros = ref(per_cent(sparsity), "control-zeros")
    if unreadable(harm[worst]):
        return f"Pruned alone to {zeros} zeros, no layer does more harm than rounding can."
    text = f"Pruned alone to {zeros} zeros, layer {of(worst)} hurts most: {of(worst, digits(harm[worst]))} nats"
    if unreadable(half):
        return f"{text}; half of the layers do no more than rounding can."
    return f"{text}, {ref(times(harm[worst] / half), EVERY)} the median."


def rank(harm: Array, layer: int) -> str:
    """Where a layer stands among all, the most harm first: `8th of 30`."""
    return f"{ordinal(int((harm > harm[layer]).sum()) + 1)} of {len(harm)}"
