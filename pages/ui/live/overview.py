"""Live pictures that answer a page at a glance, drawn before the chart library has loaded."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from core.base import capital, gain, ratio
from core.plan import Gains, gains_of
from core.show.figures import axes
from core.show.figures.gain import table
from core.show.words import gain_sentences
from core.store import Profile
from pages.ui import layout
from pages.ui.live.figure import Bars, Figure, Key, Line, Slot, pick, written

HEIGHT = 284  # px: it ends on a laptop's first screen, and a row of the map beside it is high enough to be clicked
VERDICTS = Key("amplify", "amplifies"), Key("absorb", "absorbs"), Key("undecided", "undecided")
HOW_MUCH = "how much the damage grows"
WITH, WITHOUT = "first token too", "without the first token"


FATES = {  # tone of a verdict, and what it says; the last layer has none
    "amplifies": ("amplify", "the rest of the network amplifies it"),
    "absorbs": ("absorb", "the rest of the network absorbs it"),
    None: ("undecided", "it is the last layer, so its gain is [1×](foot) by definition"),
}
UNDECIDED = ("undecided", "whether it is amplified or absorbed is undecided")


def gains(profile: Profile, name: str, other: str | None, layer: int, file: str) -> None:
    """Draw the gain of every layer, coloured by verdict; a click picks the layer that all charts highlight.

    Args:
        other: the same perturbation at the other positions, drawn as a line; None where it was not measured there.
        file: the name of the file of its numbers.
    """
    line, beside = gains_of(profile.seeds(name)), {}
    if other:
        included = getattr(profile.perturbations[name], "positions", "all") == "all"
        beside = {WITHOUT if included else WITH: gains_of(profile.seeds(other))}
    bars = gain_bars([line], HOW_MUCH, layer, beside)
    intervals = [f"[{ratio(low)}, {ratio(high)}]" for low, high in zip(line.low, line.high, strict=True)]
    says = "Layer {layer}: gain {gain} {interval}; {verdict}."
    slots = bars.slots | {"interval": Slot(intervals, "layer")}
    for called, each in beside.items():
        slots["beside"] = Slot([*map(gain, each.value)], "layer")
        says += f" {capital(called)}: {{beside}}."
    picture = replace(
        bars,
        finding=gain_sentences.of_perturbation(profile, name),
        says=says,
        slots=slots,
        height=HEIGHT,
        first=True,
    )
    layout.head(picture.title, table({name: line} | beside), file, "live-gains", brief=True, chart=False)
    layout.live(picture)


def gain_bars(rows: Sequence[Gains], title: str, layer: int, beside: Mapping[str, Gains] | None = None) -> Figure:
    """A bar per layer from 1× in every frame, upward where the rest of the network amplifies; with words for each.

    Args:
        rows: of every frame.
        title: of the axis.
        beside: drawn as lines over the bars, by name.
    """
    values, others = [each.value for each in rows], beside or {}
    fates = [[FATES.get(each, UNDECIDED) for each in row.verdicts] for row in rows]
    return Figure(
        name="gains",
        title="Gain of each layer",
        says="",
        slots={"gain": written(gain, values), "verdict": Slot([[words for _, words in row] for row in fates], "both")},
        y=axes.ratio_axis(title, *values, *(each.value for each in others.values())),
        pick=pick("Highlighted layer", len(values[0]), layer),
        bars=Bars(values, [[tone for tone, _ in row] for row in fates]),
        lines=[Line([each.value], "ink") for each in others.values()],
        key=[*VERDICTS, *(Key("ink", called, "line") for called in others)],
        foot=1.0,
        x="perturbed layer",
    )
