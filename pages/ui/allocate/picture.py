"""Live picture of an allocation: base and correction at every strength, per layer, with predicted perplexity."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache

import numpy as np
import streamlit as st

from core.base import GUESSING, Estimate, UserError, frozen, per_cent, perplexity
from core.plan import responses
from core.plan.allocation import Allocation, allocate, family, layer_means, linear_parameters
from core.plan.budget import Bounds, binding, shift_linears_to_means, with_fixed_layers
from core.plan.prediction import FLATTEST
from core.requests import AllocationRequest, recipe_names
from core.results import Forecast, protocols
from core.results.forecast import same_allocation, usable_settings
from core.show.figures import axes, colour
from core.store import Array, Profile
from pages.ui import live
from pages.ui.allocate.settings import CONTROLS, STRENGTHS
from pages.ui.live.figure import Bars, Control, Curve, Figure, Gauge, Hand, Hero, Key, Mark, Slot

ROOM = 0.02  # sparsity shown above and below the target even where all layers are alike
STRENGTH = "Correction strength (our parameter), largest shift of a layer"
WIDEST = 3.0  # how far an interval is drawn beyond what is predicted and measured
THINNED = 10  # strengths from one point of a control's curve to the next
SHUFFLES = 5  # curves of them
DECIMALS = 4  # of sparsities, of which the first three are written and drawn
SAYS = "**{{now}}** predicted perplexity, 90 % interval [{{low}}, {{high}}]. {{change}} {}."
IDLE = "Drag a bar, or press arrow keys: the other layers make up for it."
HEAD = 128  # px of words over this picture and that of targets, whose plots stand level
UNKNOWN = "Nothing is predicted: a layer is pruned beyond the largest sparsity that was measured alone."


@frozen
class Sweep:
    """An allocation at every strength of its correction, or of a control; below 0 the correction is reversed."""

    strengths: Sequence[float]
    control: str  # from 0 on
    rows: Array  # (strengths, layers) or (strengths, layers, linears), with the layers set by hand
    fixed: Mapping[int, float]  # these
    free: Array  # the rows without them
    others: Sequence[tuple[str, Array]] = ()  # controls by name, at every `THINNED`th strength from 0 on
    off: str = ""  # why there is no correction

    def frame(self, strength: float, control: str = "none") -> int:
        """Index of the frame nearest to a strength."""
        signed = -strength if control == "reversed" else strength
        return int(np.abs(np.array(self.strengths) - signed).argmin())


def _swept(allocation: Allocation, fixed: Mapping[int, float], profile: Profile) -> Sweep:
    """The allocation at every strength of its correction, and of the controls beside it.

    Args:
        fixed: layers set by hand, which leave the others a way to the budget.
    """
    request, chosen, off = allocation.request, allocation.request.correction, ""
    control = "none" if chosen.control == "reversed" else chosen.control
    few = np.array(STRENGTHS[::THINNED])
    beside = [(each, n) for each in CONTROLS for n in range(SHUFFLES if each == "shuffled" else 1)]

    def rows_of(control, seed, strengths):
        return family(request.replace(correction=chosen.replace(control=control, seed=seed)), profile, strengths)

    def kept(rows):
        return by_hand(rows, allocation, fixed, profile) if fixed else rows

    try:
        strengths = np.array(STRENGTHS)
        rows = [rows_of("reversed", 0, strengths[:0:-1]), rows_of(control, chosen.seed, strengths)]
        rows, strengths = np.concatenate(rows), np.concatenate([-strengths[:0:-1], strengths])
        others = [
            ("" if seed else CONTROLS[each], kept(rows_of(each, seed, few)))
            for each, seed in beside
            if each not in ("reversed", control)
        ]
    except UserError as error:  # without strength the base stands; only the correction lacks something
        strengths, rows, others, off = np.zeros(1), allocation.exact[None], [], str(error)
    return Sweep(strengths.tolist(), control, kept(rows), fixed, rows, others, off)


def by_hand(rows: Array, allocation: Allocation, fixed: Mapping[int, float], profile: Profile) -> Array:
    """Allocations of one base with layers set by hand, shaped as they are.

    Args:
        rows: (rows, layers) or (rows, layers, linears).

    Raises:
        UserError: these values leave the other layers no way to the budget.
    """
    weights, bounds = allocation.parameters, allocation.bounds
    if rows.ndim == 3:
        weights = linear_parameters(profile)
        rows = shift_linears_to_means(allocation.exact_base, weights, layer_means(rows, weights), bounds)
    return np.stack([with_fixed_layers(row, fixed, weights, allocation.request.target, bounds) for row in rows])


@lru_cache(maxsize=24)
def drawn(
    request: AllocationRequest,
    fixed: tuple[tuple[int, float], ...],
    profile: Profile,
    predictor: Forecast | None,
) -> tuple[Sweep, Figure]:
    """The sweep over strengths and its figure: a bar per layer, and a curve of predicted perplexity.

    Built once for all readers.

    Args:
        request: without a strength, which moves nothing but the slider.
        fixed: layers set by hand.
        predictor: what predicts; None: nothing does.
    """
    allocation = allocate(request, profile)
    sweep, base, target = _swept(allocation, dict(fixed), profile), allocation.base, request.target
    means = layer_means(sweep.rows, linear_parameters(profile)) if request.base.per_linear else sweep.rows
    costs = predictor and predictor.perplexities(sweep.rows)
    bound, bound_notes = _on_bounds(sweep, allocation)
    every = np.concatenate([base, means.ravel(), [target - ROOM, target + ROOM]])  # that the slider can reach
    room = 0.04 * np.ptp(every)
    even = np.full((1, profile.layers), target)
    name, own = request.base.title, colour(request.base.kind)
    return sweep, Figure(
        name="spread",
        title=f"Sparsity per layer: {name} and this allocation",
        says=f"Layer {{layer}}: {{now}} zeros; {name} alone {{base}}.",
        slots={
            "now": Slot(["100.0 %"], "bar"),
            "base": Slot([per_cent(share, 1) for share in base], "layer"),
            "bound": Slot(bound_notes),
        },
        y=axes.linear_axis("sparsity", every.min() - room, every.max() + room, per_cent),
        controls=[_control(sweep, costs)],
        bars=Bars(means.round(DECIMALS), base=base, tone="accent", edge=own, bound=bound),
        gauge=predictor and _gauge(sweep, request, costs, predictor),
        hero=predictor and hero(costs, predictor, "uniform", float(predictor.perplexities(even).value[0])),
        hand=_hand(sweep, allocation, profile, predictor),
        key=[
            Key(own, name, "outline"),
            Key("accent", "this allocation"),
            Key("ink", "correction", "arrow"),
            Key("ink", "{bound}", "line"),
            *([Key("ink", "set by hand", "dot")] if sweep.fixed else []),
        ],
        foot=target,
        height=230 if predictor else 300,
        head=HEAD if predictor else 0,
        right=64 if predictor else 14,
        idle=IDLE,
        first=True,
    )


def _hand(sweep: Sweep, allocation: Allocation, profile: Profile, predictor: Forecast | None) -> Hand:
    """Data for the browser to set layers by hand and predict the perplexity."""

    def moved(fixed):
        st.session_state["hand"] = ", ".join(f"{layer}:{value:g}" for layer, value in fixed.items())

    request, bounds = allocation.request, allocation.bounds
    weights = linear_parameters(profile) if request.base.per_linear else allocation.parameters[:, None]
    base, rows = allocation.exact_base.reshape(weights.shape), sweep.free.reshape(-1, *weights.shape)
    means = layer_means(rows, weights).round(DECIMALS) if sweep.fixed else None  # else sent as the bars
    curves = predictor and _curves(predictor, base, weights, bounds)
    return Hand(means, base, sweep.fixed, weights, request.target, bounds, curves, moved)


def _curves(anchors: Forecast, base: Array, weights: Array, bounds: Bounds) -> dict[str, object]:
    """The forecast as numbers that `hand.js` computes with: the harm of a layer at each mean of its linears."""
    fitted, curve = (
        anchors.predictor,
        responses.of_profile(anchors.profile, responses.pruner_with_curves(anchors.profile)),
    )
    half, harm = fitted.quantile * fitted.deviation, curve.harm
    if base.shape[1] > 1:
        means = np.tile(curve.sparsity[:, None], len(base))
        harm = responses.layer_harms(
            np.clip(shift_linears_to_means(base, weights, means, bounds), *bounds), anchors.profile
        ).T
    curves = {"sparsity": curve.sparsity, "harm": live.plain(harm, 4), "loss": anchors.study.dense.loss}
    return vars(fitted) | curves | {"half": half, "flattest": FLATTEST}


def _on_bounds(sweep: Sweep, allocation: Allocation) -> tuple[list[list[int]], list[str]]:
    """Layers on a bound at each strength, or with a linear there, and the note beside them."""
    bounds = allocation.bounds
    more = f" ({bounds.high:g} is the largest sparsity measured)" if bounds.high < allocation.request.high else ""
    every = binding(sweep.rows, bounds).reshape(*sweep.rows.shape[:2], -1).any(2)
    bound_layers = [np.flatnonzero(each).tolist() for each in every]
    return bound_layers, [f"on a bound{more}" if layers else "" for layers in bound_layers]


def _control(sweep: Sweep, costs: Estimate | None) -> Control:
    """The slider, which crosses over to the reverse."""
    signed = [(abs(each), each < 0) for each in sweep.strengths]
    stops = [f"{each:g}{', reversed' if reverse else ''}" for each, reverse in signed]
    values = [{"strength": each, "control": "reversed" if reverse else sweep.control} for each, reverse in signed]
    ends = (0, "reversed"), (sweep.frame(0), "none"), (len(stops) - 1, recipe_names.CORRECTIONS[sweep.control])
    priced = zip(stops, map(perplexity, costs.value), strict=True) if costs else ()
    spoken = [f"{stop}, predicted perplexity {cost}" for stop, cost in priced]
    return Control("strength", STRENGTH, stops, sweep.frame(0), values, () if sweep.off else ends, spoken=spoken)


def hero(costs: Estimate, anchors: Forecast, name: str, beside: float) -> Hero:
    """The predicted perplexity of every frame beside one that has a name."""
    changes = [f"{{share}} {far} than {name} ({perplexity(beside)})." for far in ("less", "more")]
    return Hero(*costs[:3], SAYS.format(protocols.short_name(anchors.study)), beside, changes, UNKNOWN)


def sensible(perplexities: Array) -> Array:
    """Perplexities, NaN where a model does no more than guess."""
    return np.where(perplexities < GUESSING, perplexities, np.nan)


def _gauge(sweep: Sweep, request: AllocationRequest, costs: Estimate, anchors: Forecast) -> Gauge | None:
    """Predicted perplexity at every strength with its interval, the controls, and what was measured."""
    wanted = request.correction

    def corrects(measured):
        """True for the same base, or a correction of it with the same driver, computed from the same numbers."""
        here = measured.setting.allocation
        alike = not measured.strength or (here.correction.driver, here.correction.clip) == (wanted.driver, wanted.clip)
        with suppress(UserError):  # this profile lacks what drove it
            alike = alike and here.plain == request.plain
            return alike and same_allocation(measured.planned, allocate(here, anchors.profile).exact)
        return False

    measured = () if sweep.fixed else usable_settings(anchors.study, anchors.treatment)
    marks = [
        Mark(
            sweep.frame(each.strength, each.control),
            each.perplexity,
            "ink" if each.control in ("none", "reversed", sweep.control) else "undecided",
        )
        for each in measured
        if each.finite and corrects(each)
    ]
    curves = []
    for name, rows in sweep.others:
        frames = [sweep.frame(0) + THINNED * n for n in range(len(rows))]
        curves.append(Curve(frames, sensible(anchors.perplexities(rows).value), name))
    return gauge("predicted perplexity at each strength (log scale)", costs, curves, marks, sweep.frame(0))


def gauge(
    title: str,
    costs: Estimate,
    curves: Sequence[Curve],
    marks: Sequence[Mark] = (),
    zero: int | None = None,
) -> Gauge | None:
    """Predicted perplexities of all frames with their interval, curves and measured points beside; None: none is known.

    Args:
        zero: the frame that is marked.
    """
    middle, low, high = sensible(np.array(costs[:3]))
    if not np.isfinite(middle).any():
        return None
    points = np.array([each.value for each in marks])
    lowest, highest = axes.limits(middle, points)
    band = [np.clip(each, lowest / WIDEST, highest * WIDEST) for each in (low, high)]
    every = (middle, points, *band, *(each.values for each in curves))
    return Gauge(axes.log_axis(title, *every), middle, zero, band=band, curves=curves, marks=marks, height=150)
