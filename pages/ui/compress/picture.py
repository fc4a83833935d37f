"""Live picture of an allocation: base and correction at every strength, per layer, with predicted perplexity."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import streamlit as st

from core.base import Estimate, per_cent, perplexity
from core.plan import Allocation, allocate, layer_means
from core.plan.sweep import THINNED, Sweep, bound_layers, harm_curves, sweep
from core.requests import AllocationRequest, recipe_names, uniform
from core.results import Forecast, protocols
from core.show.figures import axes, colour
from core.show.figures.evaluation import sensible, with_band
from core.store import Profile
from pages.ui import live
from pages.ui.compress.settings import CONTROLS, STRENGTHS
from pages.ui.live.figure import Bars, Control, Curve, Figure, Gauge, Hand, Hero, Key, Mark, Slot

LEAST_SPAN = 0.02  # sparsity shown above and below the target even where all layers are alike
STRENGTH = "How far to shift zeros towards layers that absorb"
DECIMALS = 4  # of sparsities, of which the first three are written and drawn
SAYS = "**{{now}}** predicted perplexity, 90 % interval [{{low}}, {{high}}]. {{change}} {}."
MEASURED = "**{{now}}** measured perplexity. {{change}} {}."
IDLE = "Drag a bar, or press arrow keys: the other layers make up for it."
UNKNOWN = "Nothing is predicted: a layer is pruned beyond the largest sparsity that was measured alone."


@lru_cache(maxsize=24)
def drawn(
    request: AllocationRequest,
    fixed: tuple[tuple[int, float], ...],
    profile: Profile,
    forecast: Forecast | None,
    measured: tuple[float, str, float] | None = None,
) -> tuple[Sweep, Figure]:
    """The sweep over strengths and its figure: a bar per layer, and a curve of predicted perplexity.

    Built once for all readers.

    Args:
        request: without a strength, which moves nothing but the slider.
        fixed: layers set by hand, with their sparsity.
        forecast: what predicts; None: nothing does.
        measured: strength, control and perplexity of the allocation in view, which is not among that.
    """
    allocation = allocate(request, profile)
    swept = sweep(allocation, STRENGTHS, profile, dict(fixed), CONTROLS)
    bars = _bars(swept, allocation)
    key = [*bars.key, *[Key("ink", "set by hand", "dot")] * bool(fixed)]
    figure = replace(bars, key=key, hand=_hand(swept, allocation, forecast, dict(fixed)))
    if forecast is None:
        return swept, replace(figure, controls=[_control(swept)])
    costs = forecast.perplexities(swept.rows)
    evenly = allocate(uniform(request.target), profile).exact
    _, judged = forecast.without_allocation(evenly, uniform(request.target))
    even = judged.perplexity if judged else float(forecast.perplexities(evenly[None]).value[0])
    marks = [] if fixed else _measured(swept, request, forecast)
    if measured:
        marks.append(Mark(swept.frame(*measured[:2]), measured[2], "ink"))
    start = swept.frame(0)
    curves = [
        Curve([start + THINNED * n for n in range(len(rows))], sensible(forecast.perplexities(rows).value), label)
        for label, rows in swept.others
    ]
    return swept, replace(
        figure,
        controls=[_control(swept, costs)],
        gauge=gauge("predicted perplexity at each strength (log scale)", costs, curves, marks, start),
        hero=hero(costs, forecast, recipe_names.uniform_beside(forecast.treatment.repair), even, marks),
        height=230,
        right=112,  # the names of controls
    )


def _bars(swept: Sweep, allocation: Allocation) -> Figure:
    """A bar per layer around the target at every strength, outlined by the base."""
    request, bounds = allocation.request, allocation.bounds
    means = layer_means(swept.rows, allocation.parameters)
    bound = bound_layers(swept.rows, bounds)
    more = f" ({bounds.high:g} is the largest sparsity measured)" if bounds.high < request.high else ""
    name, own = request.base.title, colour(request.base.kind)
    ends = request.target - LEAST_SPAN, request.target + LEAST_SPAN
    return Figure(
        name="spread",
        title=f"Sparsity per layer: {name} and this allocation",
        says=f"Layer {{layer}}: {{now}} zeros; {name} alone {{base}}.",
        slots={
            "now": Slot(["100.0 %"], "bar"),
            "base": Slot([per_cent(share, 1) for share in allocation.base], "layer"),
            "bound": Slot([f"at its limit{more}" if layers else "" for layers in bound]),
        },
        y=axes.padded_axis("sparsity", 0.04, allocation.base, means, ends, write=per_cent),
        bars=Bars(means.round(DECIMALS), base=allocation.base, tone="accent", edge=own, bound=bound),
        key=[
            Key(own, name, "outline"),
            Key("accent", "this allocation"),
            Key("ink", "correction", "arrow"),
            Key("ink", "{bound}", "line"),
        ],
        foot=request.target,
        height=300,
        idle=IDLE,
        first=True,
    )


def _hand(swept: Sweep, allocation: Allocation, forecast: Forecast | None, fixed: Mapping[int, float]) -> Hand:
    """Data for the browser to set layers by hand and predict the perplexity."""

    def moved(layers):
        st.session_state["hand"] = ", ".join(f"{layer}:{value:g}" for layer, value in layers.items())

    request, bounds = allocation.request, allocation.bounds
    weights = allocation.parameters.reshape(len(allocation.base), -1)
    base, rows = allocation.exact_base.reshape(weights.shape), swept.free.reshape(-1, *weights.shape)
    means = layer_means(rows, weights).round(DECIMALS) if fixed else None  # else sent as the bars
    curves = forecast and harm_curves(forecast.predictors["loss"], forecast.profile, base, weights, bounds)
    if curves:
        curves |= {"harm": live.plain(curves["harm"], DECIMALS), "loss": forecast.study.dense.loss}
    return Hand(means, base, fixed, weights, request.target, bounds, curves, moved)


def _control(swept: Sweep, costs: Estimate | None = None) -> Control:
    """The slider, which crosses over to the reverse."""
    signed = [(abs(each), each < 0) for each in swept.strengths]
    stops = [f"{each:g}{', reversed' if reverse else ''}" for each, reverse in signed]
    values = [{"strength": each, "control": "reversed" if reverse else swept.control} for each, reverse in signed]
    ends = (0, "reversed"), (swept.frame(0), "none"), (len(stops) - 1, recipe_names.CORRECTIONS[swept.control])
    priced = zip(stops, map(perplexity, costs.value), strict=True) if costs else ()
    spoken = [f"{stop}, predicted perplexity {cost}" for stop, cost in priced]
    return Control("strength", STRENGTH, stops, swept.frame(0), values, () if swept.off else ends, spoken=spoken)


def _measured(swept: Sweep, request: AllocationRequest, forecast: Forecast) -> list[Mark]:
    """Points measured of this base and its corrections."""
    return [
        Mark(
            swept.frame(one.strength, one.control),
            one.perplexity,
            "ink" if one.control in ("none", "reversed", swept.control) else "undecided",
        )
        for one in forecast.corrections_of(request)
    ]


def hero(costs: Estimate, forecast: Forecast, name: str, beside: float, marks: Sequence[Mark] = ()) -> Hero:
    """The perplexity of every frame, measured or else predicted, beside one that has a name."""
    changes = [f"{{share}} {far} than {name} ({perplexity(beside)})." for far in ("less", "more")]
    says, measured = (each.format(protocols.short_name(forecast.study)) for each in (SAYS, MEASURED))
    points = {each.frame: each.value for each in marks if each.tone == "ink"}
    return Hero(*costs[:3], says, beside, changes, UNKNOWN, points, measured)


def gauge(
    title: str, costs: Estimate, curves: Sequence[Curve], marks: Sequence[Mark] = (), zero: int | None = None
) -> Gauge | None:
    """Predicted perplexities of all frames with their interval, curves and measured points beside; None: none is known.

    Args:
        zero: the frame that is marked.
    """
    points = [each.value for each in marks]
    if (drawn := with_band(costs, points)) is None:
        return None
    middle, band = drawn
    axis = axes.log_axis(title, middle, points, *band, *(each.values for each in curves))
    return Gauge(axis, middle, zero, band=band, curves=curves, marks=marks, height=150)
