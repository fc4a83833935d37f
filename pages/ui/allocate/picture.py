"""The picture of an allocation: its base and every strength of its correction, layer by layer, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.base.formats import digits, per_cent, ranges
from core.kinds import BASE_LABELS
from core.plan.budget import TOLERANCE
from core.plan.prediction import Predicted
from core.plan.spread import Allocation
from core.show.figures import Palette, axes
from core.show.figures.palette import colour
from core.store.results import Array
from pages.ui.allocate.predicting import Measured
from pages.ui.live import figure

ROOM = 0.02  # sparsity shown above and below the target even where all layers are alike
STRENGTH = "Correction strength (our parameter), largest shift of a layer"
WIDEST = 3.0  # how far an interval is drawn beyond what is predicted and measured
THINNED = 10  # strengths from one point of a control's curve to the next
SAYS = "**{{now}}** [{{low}}, {{high}}] predicted perplexity, {}. {{change}}"
BAND = "In brackets and shaded: the 90 % interval."
POINTS = "Points were measured."
HOLLOW = "Hollow ones elsewhere ({}): what changed there, from the predicted base."
IDLE = "Drag the end of a bar, or press arrow keys: the other layers make up for it."
PER_LINEAR = "Point at a layer to read its numbers. With a budget per linear no layer is set by hand."
UNKNOWN = "Nothing is predicted: a layer is pruned beyond the largest sparsity that was measured alone."


@dataclass(frozen=True, eq=False)
class Sweep:
    """An allocation at every strength of its correction, or of a control; below 0 the correction is reversed."""

    strengths: Sequence[float]
    control: str
    rows: Array  # (strengths, layers) or (strengths, layers, linears), with the layers set by hand
    held: Mapping[int, float]  # these
    free: Array  # the rows without them
    others: Sequence[tuple[str, Array]] = ()  # controls by name, at every `THINNED`th strength from 0 on
    off: str = ""  # why there is no correction
    ignored: str = ""  # why layers set by hand are not kept

    @property
    def zero(self) -> int:
        return self.frame(0)

    def frame(self, strength: float, control: str = "none") -> int:
        """Where the picture has a strength: the reverse is to the left where there is room for it."""
        signed = -strength if control == "reversed" and self.strengths[0] < 0 else strength
        return int(np.abs(np.array(self.strengths) - signed).argmin())


@dataclass(frozen=True, eq=False)
class Forecast:
    """What a sweep is predicted and was measured to cost."""

    sweep: Predicted  # perplexities
    others: Sequence[tuple[str, Array]]
    uniform: float  # perplexity
    measured: Sequence[Measured]
    protocol: str


def picture(
    allocation: Allocation,
    sweep: Sweep,
    shown: Array,
    bound: Array,
    highest: float | None,
    forecast: Forecast | None,
    hand: figure.Hand | None,
    look: Palette,
) -> figure.Figure:
    """A bar per layer around the target, a curve of predicted perplexity, and the strength that both follow.

    Args:
        shown: (strengths, layers).
        bound: (strengths, layers); the layer, or one of its linears, sits on a bound.
        highest: the largest sparsity measured, where the base goes no further.
        forecast: None: nothing predicts.
        hand: None: each linear has a budget of its own.
    """
    base, request = allocation.base, allocation.request
    name, found = BASE_LABELS[request.base.kind], [np.flatnonzero(row).tolist() for row in bound]
    own = colour(request.base.kind, look)
    told = [f"{_lose(row)} {_budget(row, on, request.target, highest)}" for row, on in zip(shown, found, strict=True)]
    return figure.Figure(
        name="spread",
        title=f"Sparsity per layer: {name} and this allocation",
        says=f"Layer {{layer}}: {{now}} zeros; {name} alone {{base}}.",
        slots={
            "now": figure.Slot("bar", ["100.0 %"]),
            "base": figure.Slot("layer", [per_cent(share, 1) for share in base]),
            "bound": figure.Slot("frame", ["on a bound" if on else "" for on in found]),
        },
        y=axes.linear_axis("sparsity", *_limits(base, shown, request.target), per_cent),
        controls=[_control(sweep, request.correction.strength, forecast)],
        bars=figure.Bars(shown, base=base, tone="accent", edge=own, bound=found),
        gauge=forecast and _gauge(sweep, forecast),
        hero=forecast and _hero(forecast),
        hand=hand,
        key=[
            figure.Key(own, "outline", name),
            figure.Key("accent", "block", "this allocation"),
            figure.Key("ink", "arrow", "correction"),
            figure.Key("ink", "line", "{bound}"),
            *([figure.Key("ink", "dot", "set by hand")] if sweep.held else []),
        ],
        foot=request.target,
        height=230 if forecast else 300,
        idle=IDLE if hand else PER_LINEAR,
        notes=[figure.Slot("frame", told)],
        first=True,
    )


def _control(sweep: Sweep, strength: float, forecast: Forecast | None) -> figure.Control:
    """The slider, which crosses over to the reverse where that has no choice of its own."""
    both = sweep.strengths[0] < 0
    stops = [f"{abs(each):g}{', reversed' if each < 0 else ''}" for each in sweep.strengths]
    values = [
        {"strength": abs(each)} | ({"control": "reversed" if each < 0 else "none"} if both and each else {})
        for each in sweep.strengths
    ]
    marks = [(0, "reversed"), (sweep.zero, "none"), (len(stops) - 1, "corrected")] if both else []
    spoken = []
    if forecast:
        costs = [digits(float(each), 3) for each in forecast.sweep.increase]
        spoken = [f"{stop}, predicted perplexity {cost}" for stop, cost in zip(stops, costs, strict=True)]
    return figure.Control(
        "strength", STRENGTH, stops, sweep.frame(strength, sweep.control), values, marks, spoken=spoken
    )


def _hero(forecast: Forecast) -> figure.Hero:
    uniform = digits(forecast.uniform, 3)
    changes = (f"{{share}} less than uniform, {uniform}.", f"{{share}} more than uniform, {uniform}.")
    return figure.Hero(*forecast.sweep, SAYS.format(forecast.protocol), forecast.uniform, changes, UNKNOWN)


def _gauge(sweep: Sweep, forecast: Forecast) -> figure.Gauge | None:
    """Predicted perplexity at every strength with its interval, the controls, and what was measured."""
    middle, low, high = forecast.sweep
    if not np.isfinite(middle).any():
        return None
    own = ("none", "reversed") if sweep.strengths[0] < 0 else ("none", sweep.control)
    marks = [
        figure.Mark(
            sweep.frame(each.strength, each.control),
            each.perplexity,
            "ink" if each.control in own else "undecided",
            each.moved,
        )
        for each in forecast.measured
    ]
    curves = [
        figure.Curve([sweep.zero + THINNED * n for n in range(len(values))], values, name)
        for name, values in forecast.others
    ]
    points = np.array([each.value for each in marks])
    lowest, highest = axes.limits(middle, points)
    band = [np.clip(each, lowest / WIDEST, highest * WIDEST) for each in (low, high)]
    every = (middle, points, *band, *(each.values for each in curves))
    axis = axes.log_axis("predicted perplexity at each strength (log scale)", *every)
    return figure.Gauge(axis, middle, sweep.zero, band=band, curves=curves, marks=marks, height=150)


def _lose(row: Array) -> str:
    low, high = per_cent(row.min(), 1), per_cent(row.max(), 1)
    alike = row.max() - row.min() <= TOLERANCE
    return f"Every layer loses {low} of its weights." if alike else f"Layers lose {low} to {high} of their weights."


def _budget(row: Array, bound: list[int], target: float, highest: float | None) -> str:
    """The budget, which every row meets, and the layers on a bound."""
    reached = highest is not None and abs(row.max() - highest) <= TOLERANCE
    why = f" ({highest:g} is the largest sparsity measured)" if reached else ""
    some = f" Layer{'s' if len(bound) > 1 else ''} {ranges(bound)} on a bound{why}." if bound else ""
    return f"The budget of {per_cent(target)} is met exactly.{some}"


def _limits(base: Array, rows: Array, target: float) -> tuple[float, float]:
    """The sparsities shown: everything that the slider can reach."""
    every = np.concatenate([base, rows.ravel(), [target - ROOM, target + ROOM]])
    room = 0.04 * np.ptp(every)
    return float(every.min() - room), float(every.max() + room)
