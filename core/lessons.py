"""What the tour shows: arrays for its live figures, and sentences that follow from the profile. Numpy only.

Every sentence is computed: with another profile it says something else, and where the data do not bear out the usual
story it says so. Between two measured strengths a figure is read off by straight lines, and `Scale.measured` tells
which of its steps were measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from core import absorption, response, studies
from core.absorption import Gains, ranges
from core.allocation.allocate import allocate, estimates, family
from core.allocation.requests import AllocationRequest, Correction, Owl, Response, Uniform
from core.comparison import Interval
from core.errors import UserError
from core.profiles import Profile
from core.results import Array, Perturbed
from core.store import Entry, Store

BETWEEN = 5  # steps of a slider between two measured strengths
SIZE = 0.3  # the noise that most sentences speak of
PRUNED = "residual:wanda:0.7"
TARGET = 0.7
DRIVER = "gaussian:0.3"
LARGEST_PUSH = 0.1  # sparsity units, the correction's strength at the ends of the slider
ROUNDING = 1e-3  # relative; what other processors and thread counts make of the same float32 arithmetic
PUSHES = 51  # steps on either side of none


@dataclass(frozen=True, eq=False)
class Scale:
    """The strengths a slider runs over."""

    values: Array  # (steps,) ascending
    measured: tuple[int, ...]  # the steps that were measured; what lies between them is interpolated

    def nearest(self, step: int) -> int:
        """The measured step next to a step."""
        return min(self.measured, key=lambda each: abs(each - step))


def noise(profile: Profile, positions: str = "after_first") -> dict[float, str]:
    """Size -> name of the gaussian noise measured at these positions, ascending.

    Raises:
        UserError: none was.
    """
    found = {
        asked.size: name
        for name, asked in profile.perturbations.items()
        if asked.kind == "gaussian" and asked.positions == positions
    }
    if not found:
        wanted = "gaussian:0.3" if positions == "after_first" else "gaussian:0.3@all"
        raise UserError(f"this profile holds no such noise: measure {wanted} to see this chapter of it")
    return dict(sorted(found.items()))


# --- 1 perturb -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Hit:
    """What noise at one layer does to the model's predictions."""

    sizes: Scale
    flips: Array  # (steps, layers) fraction of next-token predictions that change
    said: str


def perturb(profile: Profile) -> Hit:
    """Noise of every size at every layer.

    Raises:
        UserError: no noise was measured.
    """
    measured = noise(profile)
    flips = np.stack([_mean(profile.seeds(name), "flips") for name in measured.values()])
    sizes = scale(list(measured), logarithmic=True)
    return Hit(sizes, between(sizes, flips), _hit_said(list(measured), flips))


def _hit_said(measured: Sequence[float], flips: Array) -> str:
    at = _usual(measured)
    most, least = int(flips[at].argmax()), int(flips[at].argmin())
    said = (
        f"The same noise, size {measured[at]:g}, changes {flips[at][most]:.0%} of the predictions at layer {most} but "
        f"{flips[at][least]:.0%} at layer {least}: where a network is hit matters."
    )
    if len(measured) > 1:
        said += f" At size {measured[0]:g} no layer changes more than {flips[0].max():.1%}."
    return said


# --- 2 drift -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Spread:
    """Drift on its way through the network."""

    sizes: Scale
    drift: Array  # (steps, injection, read), geometric means; NaN below the diagonal
    said: str


def drift(profile: Profile) -> Spread:
    """Drift curves for noise of every size.

    Raises:
        UserError: no noise was measured.
    """
    measured = noise(profile)
    logs = np.stack([np.log(absorption.curves(profile.seeds(name)).value) for name in measured.values()])
    sizes = scale(list(measured), logarithmic=True)
    name = measured[list(measured)[_usual(list(measured))]]
    return Spread(sizes, np.exp(between(sizes, logs)), drift_is_not_harm(profile, name))


def drift_is_not_harm(profile: Profile, name: str) -> str:
    """How well the drift that reaches the end tells the harm, over the layers hit; two layers that it misjudges."""
    seeds = profile.seeds(name)
    final = absorption.curves(seeds).value[:, -1]
    harm = _mean(seeds, "kl")
    agreement = spearman(final, harm)
    if not math.isfinite(agreement):
        return "Drift is not harm, but here one of them is the same for every layer, so that they cannot be compared."
    said = f"Drift is not harm: over the layers hit, the rank correlation of final drift and harm is {agreement:.2f}."
    pair = misjudged(final, harm)
    if pair is None:
        return f"{said} In this profile more drift at the end always comes with more harm."
    loud, quiet = pair
    return (
        f"{said} Noise at layer {loud} ends with {number(final[loud] / final[quiet])} times the drift of noise at "
        f"layer {quiet}, yet does only {number(harm[loud] / harm[quiet])} times its harm."
    )


def misjudged(final: Array, harm: Array) -> tuple[int, int] | None:
    """The two layers that drift ranks most wrongly: (more drift, more harm); None where it ranks all rightly.

    Args:
        final, harm: (layers,) positive.
    """
    more_drift = np.log(final)[:, None] - np.log(final)[None, :]
    more_harm = np.log(harm)[None, :] - np.log(harm)[:, None]
    wrong = np.nan_to_num(np.minimum(more_drift, more_harm), nan=-1.0)
    if wrong.max() <= 0:
        return None
    loud, quiet = np.unravel_index(int(wrong.argmax()), wrong.shape)
    return int(loud), int(quiet)


# --- 3 amplify -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Sink:
    """Gains of the same noise with and without the first token."""

    size: float
    without: Gains
    including: Gains
    turned: tuple[int, ...]  # layers whose gain changes sides of 1
    said: str

    @property
    def answer(self) -> str:
        """What becomes of most layers: `amplify`, `absorb more`, or `stay` within a fifth of where they were."""
        inner = slice(0, len(self.without.value) - 1)
        change = float(np.nanmedian(self.including.value[inner] / self.without.value[inner]))
        return "stay" if 1 / 1.2 < change < 1.2 else "amplify" if change > 1 else "absorb more"


def amplify(profile: Profile) -> Sink:
    """The noise of usual size at both kinds of positions.

    Raises:
        UserError: no size was measured at both.
    """
    apart, everywhere = noise(profile), noise(profile, "all")
    both = [size for size in apart if size in everywhere]
    if not both:
        raise UserError("no noise size was measured with and without the first token: measure gaussian:0.3@all too")
    size = both[_usual(both)]
    without, including = (absorption.gains(profile.seeds(names[size])) for names in (apart, everywhere))
    inner = slice(0, profile.layers - 1)
    turned = np.flatnonzero((without.value[inner] < 1) & (including.value[inner] > 1))
    return Sink(size, without, including, tuple(turned.tolist()), _sink_said(profile, turned.tolist()))


def _sink_said(profile: Profile, turned: list[int]) -> str:
    stream = profile.activation
    longer = (stream.norm_first / stream.norm).mean(1)
    most = int(longer.argmax())
    token = f"The first of {profile.spec.text.length} tokens is the attention sink: behind layer {most} its vector is"
    token += f" {number(longer[most])} times as long as the others' on average."
    if not turned:
        return f"{token} In this profile, including it in the noise turns no layer from absorbing to amplifying."
    layers = f"layer{'s' if len(turned) > 1 else ''} {ranges(turned)}"
    return (
        f"{token} Noise on this one token too turns the gain of {layers} from below 1 to above 1: "
        f"{len(turned)} of {profile.layers - 1} layers change sides."
    )


# --- 4 absorb ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Growth:
    """The damage and the stream around it, in the units of the residual stream."""

    stream: Array  # (layers,) ||h_k||, geometric mean
    damage: Array  # (injection, read) ||h'_k - h_k||, the same; NaN below the diagonal
    gain: Array  # (layers,) of the relative drift
    grown: Array  # (layers,) factor by which the damage grows to the last layer
    around: Array  # (layers,) factor by which the stream does
    said: str


def absorb(profile: Profile) -> Growth:
    """How much of a falling drift is dilution, for noise of the usual size.

    Raises:
        UserError: no noise was measured.
    """
    measured = noise(profile)
    seeds = profile.seeds(measured[list(measured)[_usual(list(measured))]])
    stream = profile.activation.log_norm
    logs = np.mean([each.log_drift for each in seeds], axis=0) + stream[None]
    split = absorption.dilution(seeds, profile.activation)
    grown, around = np.exp(split.absolute.mean(1)), np.exp(split.growth.mean(1))
    return Growth(
        np.exp(stream.mean(1)), np.exp(logs.mean(-1)), grown / around, grown, around, _diluted_said(grown, around)
    )


def _diluted_said(grown: Array, around: Array) -> str:
    inner = slice(0, len(grown) - 1)
    falling = np.flatnonzero(grown[inner] < around[inner])
    if not len(falling):
        return "In this profile no layer's drift falls on the way to the end: there is nothing that dilution could do."
    diluted = int((grown[falling] > 1).sum())
    if not diluted:
        return (
            f"At all {len(falling)} layers whose drift falls, the damage itself shrinks: none of it is mere dilution."
        )
    most = int(falling[np.argmax(grown[falling])])
    return (
        f"Falling drift can be mere dilution: of {len(falling)} layers whose drift falls, the damage itself grows at "
        f"{diluted}. Behind layer {most} it grows {number(grown[most])} times, the stream {number(around[most])} times."
    )


def twins(store: Store, profile: Profile) -> tuple[Entry, Entry] | None:
    """A profile of this model and one of its randomly initialised twin on the same text: (trained, twin), or None."""
    of_model = profile.spec.model
    entries = [each for each in store.entries("profile") if each.spec.model.content == of_model.content]
    trained = [each for each in entries if each.spec.model.initialised is None]
    trained.sort(key=lambda each: each.key != profile.entry.key)
    random = [each for each in entries if each.spec.model.initialised is not None]
    pairs = ((one, other) for one in trained for other in random if one.spec.text == other.spec.text)
    return next(pairs, None)


def learned(trained: Profile, twin: Profile) -> str:
    """What training has to do with it: noise and real pruning damage, in the model and in its untrained twin."""
    kinds = [name for name in (DRIVER, PRUNED) if name in trained.by_name and name in twin.by_name]
    if not kinds:
        return f"The twin and the model hold no perturbation in common: measure {PRUNED} on both to compare them."
    told = [_absorbing(name, trained, twin) for name in kinds]
    return "A randomly initialised twin shows what is learned. " + " ".join(told)


def _absorbing(name: str, trained: Profile, twin: Profile) -> str:
    what = "noise" if name == DRIVER else "pruning damage"
    gains = [absorption.gains(each.seeds(name)).value[:-1] for each in (trained, twin)]
    here, there = (int((gain < 1).sum()) for gain in gains)
    of = f"of {len(gains[0])} layers"
    if there >= here:
        verdict = "that it falls is not learned"
    elif there < here / 2:
        verdict = "absorbing it is learned"
    else:
        verdict = "absorbing it is partly learned"
    return f"The drift of {what} falls behind {here} {of} when trained, behind {there} when not: {verdict}."


# --- 5 allocate ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Push:
    """The correction and, on the left of zero, its reverse, on top of OWL."""

    request: AllocationRequest  # without correction
    strengths: Array  # (steps,) sparsity units; negative: the reversed control
    base: Array  # (layers,)
    rows: Array  # (steps, layers)
    harm: Array  # (steps,) additive estimate of the KL divergence, nats
    said: str


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


def _push_said(strengths: Array, harm: Array) -> str:
    if not np.isfinite(harm).all():
        return "Some of these allocations go beyond the largest sparsity measured, so that not all can be estimated."
    middle, best = harm[len(harm) // 2], int(harm.argmin())
    ends = {"the correction": harm[-1], "its reverse": harm[0]}
    better = min(ends, key=ends.get)
    said = (
        f"At full strength the estimate gives the correction {number(ends['the correction'], 3)} nats, its reverse "
        f"{number(ends['its reverse'], 3)} and neither {number(middle, 3)}"
    )
    if abs(strengths[best]) < 1e-12:
        verdict = "it prefers to correct nothing"
    else:
        side = "correction" if strengths[best] > 0 else "reverse"
        verdict = f"it prefers the {side}, at strength {abs(strengths[best]):.3f}"
    said += f": {verdict}" + (f", and of the two ends {better}." if best not in (0, len(harm) - 1) else ".")
    return f"{said} A correction must be measured before it is trusted: this is a sum over layers pruned alone."


# --- 6 prune -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Alone:
    """What pruning each layer alone does to the output."""

    sparsities: Scale
    harm: Array  # (steps, layers) KL divergence, nats
    worst: int  # the layer that hurts most at the usual sparsity
    at: int  # the step of the usual sparsity
    said: str


def prune(profile: Profile) -> Alone:
    """One-layer harms by Wanda over sparsity.

    Raises:
        UserError: fewer than two sparsities were measured.
    """
    measured, harm = response.measured(profile, "wanda", "kl")
    sparsities = scale(measured.tolist(), logarithmic=False)
    at = sparsities.measured[int(np.abs(measured - TARGET).argmin())]
    table = between(sparsities, harm.T)
    return Alone(sparsities, table, int(table[at].argmax()), at, _alone_said(sparsities.values[at], table[at]))


def _alone_said(sparsity: float, harm: Array) -> str:
    order = np.argsort(-harm)
    worst, next_worst = (int(each) for each in order[:2])
    return (
        f"Pruned alone to {sparsity:.0%} zeros, layer {worst} hurts most: {number(harm[worst])} nats, "
        f"{number(harm[worst] / harm[next_worst])} times the next, layer {next_worst}, and "
        f"{number(harm[worst] / float(np.median(harm)))} times the middle one."
    )


def guessed(harm: Array, layer: int) -> str:
    """What is said to a guess of the layer that hurts most; harm is (layers,), nats."""
    rank = int((harm > harm[layer]).sum())
    worst = int(harm.argmax())
    if rank == 0:
        return f"Right: it is layer {layer}."
    return (
        f"You said layer {layer}: it is number {rank + 1} of {len(harm)}, with {number(harm[layer])} nats. "
        f"Layer {worst} does {number(harm[worst] / harm[layer])} times as much."
    )


def methods(profile: Profile) -> dict[str, float]:
    """Allocation -> additive estimate of its KL divergence at 70 %, nats; NaN beyond what was measured.

    Raises:
        UserError: as `correction`.
    """
    corrected = Correction(strength=0.04, driver=DRIVER)
    asked = {
        "uniform": AllocationRequest(base=Uniform(), target=TARGET),
        "OWL": AllocationRequest(base=Owl(), target=TARGET),
        "OWL, corrected by 0.04": AllocationRequest(base=Owl(), target=TARGET, correction=corrected),
        "the response allocation": AllocationRequest(base=Response(objective="kl"), target=TARGET),
    }
    rows = np.stack([allocate(each, profile).sparsity for each in asked.values()])
    return dict(zip(asked, estimates(rows, profile, "kl").tolist(), strict=True))


def methods_said(told: dict[str, float]) -> str:
    """Which allocation the estimates prefer."""
    known = {name: value for name, value in told.items() if math.isfinite(value)}
    if len(known) < 2:
        return "These allocations go beyond the largest sparsity measured, so that they cannot be compared."
    best, worst = min(known, key=known.get), max(known, key=known.get)
    return (
        f"Added up over the layers, the estimate puts {best} first ({number(known[best], 3)} nats) and {worst} last "
        f"({number(known[worst], 3)}). Only pruning all layers at once and measuring tells whether that is so."
    )


@dataclass(frozen=True)
class MeasuredPoint:
    """A pruned model that was evaluated."""

    name: str
    target: float
    perplexity: float
    change: Interval | None  # of perplexity against uniform, per cent; None for uniform itself
    estimate: float  # additive, of the KL divergence, nats; NaN where it is not known


def measured_points(store: Store, profile: Profile | None = None) -> list[MeasuredPoint] | None:
    """The pruned models of the newest study of the profile's model, or of any model; None where there is none.

    Points of other targets or pruners than the first pruned one are left out, for they do not compare.
    """
    content = profile.spec.model.content if profile else None
    for entry in store.entries("study"):
        if content in (None, entry.spec.model.content):
            study = studies.load(store, entry)
            first = next(iter(study.pruned), None)
            if first is not None:
                return [_point(study, each, profile) for each in study.pruned if _alike(each, first)]
    return None


def _alike(one: studies.Measured, other: studies.Measured) -> bool:
    pairs = ((each.setting.pruner, each.setting.allocation.target, each.setting.pattern) for each in (one, other))
    return len(set(pairs)) == 1


def _point(study: studies.Study, each: studies.Measured, profile: Profile | None) -> MeasuredPoint:
    twin = study.twin(each)
    change = studies.against(each, twin) if twin is not None and twin is not each else None
    return MeasuredPoint(
        each.name, each.setting.allocation.target, each.perplexity, change, _estimate(each.planned, profile)
    )


def _estimate(planned: Array | None, profile: Profile | None) -> float:
    if profile is None or planned is None or planned.ndim != 1 or len(planned) != profile.layers:
        return math.nan
    try:
        return float(estimates(planned[None], profile, "kl")[0])
    except UserError:
        return math.nan


def measured_said(points: Sequence[MeasuredPoint]) -> str:
    """Which allocation was measured best, and whether the estimates had ranked them so."""
    known = [each for each in points if math.isfinite(each.perplexity)]
    if len(known) < 2:
        return "Fewer than two allocations were measured, so that there is nothing to compare."
    best, worst = min(known, key=lambda each: each.perplexity), max(known, key=lambda each: each.perplexity)
    said = (
        f"Measured, {best.name} is best (perplexity {number(best.perplexity, 3)}) and {worst.name} worst "
        f"({number(worst.perplexity, 3)})."
    )
    agreement = spearman(np.array([each.estimate for each in known]), np.array([each.perplexity for each in known]))
    if math.isfinite(agreement):
        said += f" The estimates had ranked them with a rank correlation of {agreement:.2f} to what was measured."
    return said


# --- the quick measurement, made again -----------------------------------------------------------------------------


def compared(fresh: Profile, cached: Profile, name: str) -> str:
    """How far a measurement made now differs from the cached one of the same text.

    Raises:
        UserError: one of them lacks the perturbation.
    """
    new, old = (absorption.gains(each.seeds(name)).value for each in (fresh, cached))
    if new.shape != old.shape:
        return f"They do not compare: the new profile has {len(new)} layers, the cached one {len(old)}."
    apart = float(np.nanmax(np.abs(new / old - 1)))
    if apart == 0:
        return "Measured here and now, and equal to the cached numbers to the last digit."
    told = f"Measured here and now: the largest relative difference of a gain from the cached one is {apart:.1e}"
    if apart < ROUNDING:
        return f"{told}, which is rounding."
    return f"{told}, which is more than rounding: another processor, library or model file may be why."


# --- help ----------------------------------------------------------------------------------------------------------


def scale(measured: Sequence[float], logarithmic: bool) -> Scale:
    """The measured strengths, ascending and positive, with steps between them."""
    if len(measured) == 1:
        return Scale(np.array(measured, float), (0,))
    space = np.geomspace if logarithmic else np.linspace
    inner = [space(low, high, BETWEEN + 2)[:-1] for low, high in pairwise(measured)]
    values = np.concatenate([*inner, [measured[-1]]])
    steps = tuple(range(0, len(values), BETWEEN + 1))
    values[list(steps)] = measured
    return Scale(values, steps)


def between(steps: Scale, table: Array) -> Array:
    """Straight lines between the measured rows: (measured, ...) -> (steps, ...); the scale's own spacing counts."""
    whole, part = np.divmod(np.arange(len(steps.values)), BETWEEN + 1)
    weight = (part / (BETWEEN + 1)).reshape(-1, *[1] * (table.ndim - 1))
    return table[whole] * (1 - weight) + table[np.minimum(whole + 1, len(table) - 1)] * weight


def spearman(first: Array, second: Array) -> float:
    """Rank correlation, equal values sharing their mean rank; NaN where one does not vary."""
    known = np.isfinite(first) & np.isfinite(second)
    if known.sum() < 2:
        return math.nan
    ranks = [_ranks(values[known]) for values in (first, second)]
    if any(np.ptp(rank) == 0 for rank in ranks):
        return math.nan
    return float(np.corrcoef(*ranks)[0, 1])


def _ranks(values: Array) -> Array:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]


def number(value: float, count: int = 2) -> str:
    """A number with so many significant digits and no exponent where it can be avoided."""
    if not math.isfinite(value):
        return "not known"
    rounded = float(f"{value:.{count - 1}e}")
    decimals = max(0, count - 1 - math.floor(math.log10(abs(rounded)))) if rounded else 0
    return f"{rounded:,.{decimals}f}" if decimals <= 5 else f"{rounded:.{count - 1}e}"


def _usual(measured: Sequence[float]) -> int:
    """Index of the measured size nearest to the usual one."""
    return min(range(len(measured)), key=lambda i: abs(math.log(measured[i] / SIZE)))


def _mean(seeds: Sequence[Perturbed], field: str) -> Array:
    """A harm per layer, mean over seeds and sequences: (layers,)."""
    return np.mean([getattr(each, field).mean(1) for each in seeds], axis=0)
