"""A page's answer at a glance: a live picture that stands before the chart library has come."""

from functools import partial

from core.base import capital, gain, per_cent, ratio
from core.kinds import ZEROS, Currency
from core.show import figures
from core.show.figures import axes
from core.show.figures.gain import table
from core.show.words import findings
from core.store import Array, Profile
from pages.ui import frame
from pages.ui.live import figure

HEIGHT = 284  # px: it ends on a laptop's first screen, and a row of the map beside it is high enough to be clicked
WITH, WITHOUT = "with the first token", "without the first token"
KEY = (*figure.DECIDED, figure.Key("undecided", "block", "undecided"))


def gains(profile: Profile, name: str, other: str | None, statistic: str, layer: int, file: str) -> None:
    """Gain of every layer, coloured by verdict, with the layer that all charts highlight under the finger.

    Args:
        other: the same perturbation at the other positions, drawn as a line; None where it was not measured there.
        file: the name of the file of its numbers.
    """
    line = figures.line(name, profile.seeds(name), statistic)
    included = getattr(profile.perturbations[name], "positions", "all") == "all"
    beside = None
    if other is not None:
        beside = figures.line(WITHOUT if included else WITH, profile.seeds(other), statistic)
    found = findings.of_perturbation(profile, name)
    numbers = table([line] if beside is None else [line, beside])
    frame.live(gain_bars(line, figures.STATISTICS[statistic], layer, found, beside), table=numbers, file=file)


def gain_bars(
    line: figures.Line, statistic: str, layer: int, finding: str = "", beside: figures.Line | None = None
) -> figure.Figure:
    """A bar per layer from 1×, upward where the rest of the network amplifies.

    Args:
        statistic: how the gain was averaged, in words.
        finding: what the bars show, in a sentence.
        beside: gains at the other positions, as a line over the bars.
    """
    intervals = [f"[{ratio(low)}, {ratio(high)}]" for low, high in zip(line.low, line.high, strict=True)]
    slots = {
        "gain": figure.Slot("layer", [gain(each) for each in line.value]),
        "interval": figure.Slot("layer", intervals),
        "verdict": figure.Slot("layer", figure.fates(line.verdicts)),
    }
    says, values = "Layer {layer}: gain {gain} {interval}; {verdict}.", [line.value]
    if beside is not None:
        slots["beside"] = figure.Slot("layer", [gain(each) for each in beside.value])
        says, values = f"{says} {capital(beside.name)}: {{beside}}.", [line.value, beside.value]
    return figure.Figure(
        name="gains",
        title="Gain of each layer",
        finding=finding,
        says=says,
        slots=slots,
        y=axes.ratio_axis(f"gain, {statistic}", *values),
        pick=figure.pick("Highlighted layer", len(line.value), layer),
        bars=figure.Bars(line.value[None], [figure.tones(line.verdicts)]),
        lines=[figure.Line(beside.value[None], "ink")] if beside is not None else [],
        key=(*KEY, *([figure.Key("ink", "line", beside.name)] if beside is not None else [])),
        foot=1.0,
        x="perturbed layer",
        height=HEIGHT,
        first=True,
    )


SPREAD = "Layers get {{low}} to {{high}} {}, {{target}} in all."


def sparsity_bars(sparsity: Array, target: float, counted: Currency = ZEROS) -> figure.Figure:
    """A bar per layer.

    Args:
        sparsity: (layers,) what each saves, of what a budget counts.
    """
    shares, unit, write, title = sparsity, "zeros", partial(per_cent, decimals=1), "Sparsity of each layer"
    if counted.levels:
        unit, write, title = "bits a weight", "{:.3g}".format, "Bits of each layer"
    sparsity, target = counted.amount(shares), counted.amount(target)
    low, high = min(float(sparsity.min()), target), max(float(sparsity.max()), target)
    room = max(0.3 * (high - low), 0.02)
    alike = high - low < 1e-9
    return figure.Figure(
        name="sparsities",
        title=title,
        says=f"All layers alike: {{target}} {unit}." if alike else SPREAD.format(unit),
        slots={
            "target": figure.Slot("frame", [write(target)]),
            "low": figure.Slot("frame", [write(sparsity.min())]),
            "high": figure.Slot("frame", [write(sparsity.max())]),
        },
        y=axes.linear_axis(unit, max(0.0, low - room), high + room, write),
        bars=figure.Bars(sparsity[None]),
        key=[figure.Key("undecided", "block", "difference from target")],
        foot=target,
        height=170,
    )
