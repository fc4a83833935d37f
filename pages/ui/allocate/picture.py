"""The picture of an allocation: its base and every strength of its correction, layer by layer, and what they cost."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache

import numpy as np
import streamlit as st

from core.base import GUESSING, UserError, frozen, per_cent, perplexity
from core.plan import responses
from core.plan.allocation import Allocation, allocate, family, layer_means, linear_parameters
from core.plan.budget import Bounds, binding, shift_linears_to_means, with_fixed_layers
from core.plan.prediction import FLATTEST, Predicted
from core.requests import AllocationRequest, recipe_names
from core.results import Anchors, protocols
from core.results.anchors import same, usable_settings
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
    held: Mapping[int, float]  # these
    free: Array  # the rows without them
    others: Sequence[tuple[str, Array]] = ()  # controls by name, at every `THINNED`th strength from 0 on
    off: str = ""  # why there is no correction

    def frame(self, strength: float, control: str = "none") -> int:
        """Where the picture has a strength."""
        signed = -strength if control == "reversed" else strength
        return int(np.abs(np.array(self.strengths) - signed).argmin())


def _swept(allocation: Allocation, held: Mapping[int, float], profile: Profile) -> Sweep:
    """The allocation at every strength of its correction, and of the controls beside it.

    Args:
        held: layers set by hand, which leave the others a way to the budget.
    """
    request, chosen, off = allocation.request, allocation.request.correction, ""
    control = "none" if chosen.control == "reversed" else chosen.control
    few = np.array(STRENGTHS[::THINNED])
    beside = [(each, n) for each in CONTROLS for n in range(SHUFFLES if each == "shuffled" else 1)]

    def rows_of(control, seed, strengths):
        return family(request.replace(correction=chosen.replace(control=control, seed=seed)), profile, strengths)

    def kept(rows):
        return by_hand(rows, allocation, held, profile) if held else rows

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
    return Sweep(strengths.tolist(), control, kept(rows), held, rows, others, off)


def by_hand(rows: Array, allocation: Allocation, held: Mapping[int, float], profile: Profile) -> Array:
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
    return np.stack([with_fixed_layers(row, held, weights, allocation.request.target, bounds) for row in rows])


@lru_cache(maxsize=24)
def drawn(
    request: AllocationRequest,
    held: tuple[tuple[int, float], ...],
    profile: Profile,
    found: Anchors | None,
) -> tuple[Sweep, Figure]:
    """A bar per layer around the target, a curve of predicted perplexity, and the strength that both follow.

    Made once for all readers.

    Args:
        request: without a strength, which moves nothing but the slider.
        held: layers set by hand.
        found: what predicts; None: nothing does.
    """
    allocation = allocate(request, profile)
    sweep, base, target = _swept(allocation, dict(held), profile), allocation.base, request.target
    shown = layer_means(sweep.rows, linear_parameters(profile)) if request.base.per_linear else sweep.rows
    costs = found and found.perplexities(sweep.rows)
    bound, said = _on_bounds(sweep, allocation)
    every = np.concatenate([base, shown.ravel(), [target - ROOM, target + ROOM]])  # that the slider can reach
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
            "bound": Slot(said),
        },
        y=axes.linear_axis("sparsity", every.min() - room, every.max() + room, per_cent),
        controls=[_control(sweep, costs)],
        bars=Bars(shown.round(DECIMALS), base=base, tone="accent", edge=own, bound=bound),
        gauge=found and _gauge(sweep, request, costs, found),
        hero=found and hero(costs, found, "uniform", float(found.perplexities(even).increase[0])),
        hand=_hand(sweep, allocation, profile, found),
        key=[
            Key(own, name, "outline"),
            Key("accent", "this allocation"),
            Key("ink", "correction", "arrow"),
            Key("ink", "{bound}", "line"),
            *([Key("ink", "set by hand", "dot")] if sweep.held else []),
        ],
        foot=target,
        height=230 if found else 300,
        head=HEAD if found else 0,
        right=64 if found else 14,
        idle=IDLE,
        first=True,
    )


def _hand(sweep: Sweep, allocation: Allocation, profile: Profile, found: Anchors | None) -> Hand:
    """What the browser needs to set layers by hand and to predict that."""

    def moved(held):
        st.session_state["hand"] = ", ".join(f"{layer}:{value:g}" for layer, value in held.items())

    request, bounds = allocation.request, allocation.bounds
    weights = linear_parameters(profile) if request.base.per_linear else allocation.parameters[:, None]
    base, rows = allocation.exact_base.reshape(weights.shape), sweep.free.reshape(-1, *weights.shape)
    means = layer_means(rows, weights).round(DECIMALS) if sweep.held else None  # else sent as the bars
    curves = found and _curves(found, base, weights, bounds)
    return Hand(means, base, sweep.held, weights, request.target, bounds, curves, moved)


def _curves(found: Anchors, base: Array, weights: Array, bounds: Bounds) -> dict[str, object]:
    """What predicts, as numbers that `hand.js` computes with: the harm of a layer at each mean of its linears."""
    fitted, curve = found.predictor, responses.of_profile(found.profile, responses.usual(found.profile))
    half, harm = fitted.quantile * fitted.deviation, curve.harm
    if base.shape[1] > 1:
        means = np.tile(curve.sparsity[:, None], len(base))
        harm = responses.layer_harms(
            np.clip(shift_linears_to_means(base, weights, means, bounds), *bounds), found.profile
        ).T
    known = {"sparsity": curve.sparsity, "harm": live.plain(harm, 4), "loss": found.study.dense.loss}
    return vars(fitted) | known | {"half": half, "flattest": FLATTEST}


def _on_bounds(sweep: Sweep, allocation: Allocation) -> tuple[list[list[int]], list[str]]:
    """The layers that sit on a bound at each strength, or have a linear there, and what is said of that."""
    bounds = allocation.bounds
    more = f" ({bounds.high:g} is the largest sparsity measured)" if bounds.high < allocation.request.high else ""
    every = binding(sweep.rows, bounds).reshape(*sweep.rows.shape[:2], -1).any(2)
    found = [np.flatnonzero(each).tolist() for each in every]
    return found, [f"on a bound{more}" if layers else "" for layers in found]


def _control(sweep: Sweep, costs: Predicted | None) -> Control:
    """The slider, which crosses over to the reverse."""
    signed = [(abs(each), each < 0) for each in sweep.strengths]
    stops = [f"{each:g}{', reversed' if reverse else ''}" for each, reverse in signed]
    values = [{"strength": each, "control": "reversed" if reverse else sweep.control} for each, reverse in signed]
    ends = (0, "reversed"), (sweep.frame(0), "none"), (len(stops) - 1, recipe_names.CORRECTIONS[sweep.control])
    known = zip(stops, map(perplexity, costs.increase), strict=True) if costs else ()
    spoken = [f"{stop}, predicted perplexity {cost}" for stop, cost in known]
    return Control("strength", STRENGTH, stops, sweep.frame(0), values, () if sweep.off else ends, spoken=spoken)


def hero(costs: Predicted, found: Anchors, name: str, beside: float) -> Hero:
    """The predicted perplexity of every frame beside one that has a name."""
    changes = [f"{{share}} {far} than {name} ({perplexity(beside)})." for far in ("less", "more")]
    return Hero(*costs, SAYS.format(protocols.short(found.study)), beside, changes, UNKNOWN)


def sensible(perplexities: Array) -> Array:
    """The same, NaN where a model does no more than guess."""
    return np.where(perplexities < GUESSING, perplexities, np.nan)


def _gauge(sweep: Sweep, request: AllocationRequest, costs: Predicted, found: Anchors) -> Gauge | None:
    """Predicted perplexity at every strength with its interval, the controls, and what was measured."""
    wanted = request.correction

    def corrects(measured):
        """Whether it is the same base or a correction of it that is driven alike, and looked at the same numbers."""
        here = measured.setting.allocation
        alike = not measured.strength or (here.correction.driver, here.correction.clip) == (wanted.driver, wanted.clip)
        with suppress(UserError):  # this profile lacks what drove it
            alike = alike and here.plain == request.plain
            return alike and same(measured.planned, allocate(here, found.profile).exact)
        return False

    measured = () if sweep.held else usable_settings(found.study, found.treatment)
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
        curves.append(Curve(frames, sensible(found.perplexities(rows).increase), name))
    return gauge("predicted perplexity at each strength (log scale)", costs, curves, marks, sweep.frame(0))


def gauge(
    title: str,
    costs: Predicted,
    curves: Sequence[Curve],
    marks: Sequence[Mark] = (),
    zero: int | None = None,
) -> Gauge | None:
    """Predicted perplexities of all frames with their interval, curves and measured points beside; None: none is known.

    Args:
        zero: the frame that is marked.
    """
    middle, low, high = sensible(np.array(costs))
    if not np.isfinite(middle).any():
        return None
    points = np.array([each.value for each in marks])
    lowest, highest = axes.limits(middle, points)
    band = [np.clip(each, lowest / WIDEST, highest * WIDEST) for each in (low, high)]
    every = (middle, points, *band, *(each.values for each in curves))
    return Gauge(axes.log_axis(title, *every), middle, zero, band=band, curves=curves, marks=marks, height=150)
