"""A page's answer at a glance: a live picture that stands before the chart library has come."""

from functools import partial

from core.base import capital, gain, per_cent, ratio
from core.kinds import LAYERS, ZEROS, Currency
from core.show import figures
from core.show.figures import axes
from core.show.figures.gain import table
from core.show.words import findings
from core.store import Array, Profile
from pages.ui import frame
from pages.ui.live.figure import DECIDED, Bars, Figure, Key, Line, Slot, fates, pick, tones

HEIGHT = 284  # px: it ends on a laptop's first screen, and a row of the map beside it is high enough to be clicked
WITH, WITHOUT = "with the first token", "without the first token"
KEY = (*DECIDED, Key("undecided", "block", "undecided"))


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
) -> Figure:
    """A bar per layer from 1×, upward where the rest of the network amplifies.

    Args:
        statistic: how the gain was averaged, in words.
        finding: what the bars show, in a sentence.
        beside: gains at the other positions, as a line over the bars.
    """
    intervals = [f"[{ratio(low)}, {ratio(high)}]" for low, high in zip(line.low, line.high, strict=True)]
    slots = {
        "gain": Slot("layer", [gain(each) for each in line.value]),
        "interval": Slot("layer", intervals),
        "verdict": Slot("layer", fates(line.verdicts)),
    }
    says, values = "Layer {layer}: gain {gain} {interval}; {verdict}.", [line.value]
    if beside is not None:
        slots["beside"] = Slot("layer", [gain(each) for each in beside.value])
        says, values = f"{says} {capital(beside.name)}: {{beside}}.", [line.value, beside.value]
    return Figure(
        name="gains",
        title="Gain of each layer",
        finding=finding,
        says=says,
        slots=slots,
        y=axes.ratio_axis(f"gain, {statistic}", *values),
        pick=pick("Highlighted layer", len(line.value), layer),
        bars=Bars(line.value[None], [tones(line.verdicts)]),
        lines=[Line(beside.value[None], "ink")] if beside is not None else [],
        key=(*KEY, *([Key("ink", "line", beside.name)] if beside is not None else [])),
        foot=1.0,
        x="perturbed layer",
        height=HEIGHT,
        first=True,
    )


SPREAD = "Layers get {{low}} to {{high}} {}, {{target}} in all."


def sparsity_bars(sparsity: Array, target: float, counted: Currency = ZEROS) -> Figure:
    """A bar per layer.

    Args:
        sparsity: (layers,) what each saves, of what a budget counts.
    """
    unit, write, title = "zeros", partial(per_cent, decimals=1), "Sparsity of each layer"
    key, foot = [Key("undecided", "block", "difference from target")], counted.amount(target)
    sparsity, target = counted.amount(sparsity), foot
    low, high = min(float(sparsity.min()), target), max(float(sparsity.max()), target)
    room = max(0.3 * (high - low), 0.02)
    if counted.bits:
        unit, write, title = "bits a weight", "{:.3g}".format, "Bits of each layer"
    says = f"All layers alike: {{target}} {unit}." if high - low < 1e-9 else SPREAD.format(unit)
    if counted is LAYERS:
        unit, title, says = "left out", "Layers left out", "A bar is a layer that is left out: {target} of all."
        key, foot, room, write = [], 0.0, 0.0, per_cent
    return Figure(
        name="sparsities",
        title=title,
        says=says,
        slots={
            "target": Slot("frame", [write(target)]),
            "low": Slot("frame", [write(sparsity.min())]),
            "high": Slot("frame", [write(sparsity.max())]),
        },
        y=axes.linear_axis(unit, max(0.0, low - room), high + room, write if counted.bits else per_cent),
        bars=Bars(sparsity[None]),
        key=key,
        foot=foot,
        height=170,
    )
