"""Chapter 4: why drift falls: the damage and the stream around it, in the model and in its untrained twin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core import lessons
from core.figures import labels as words
from core.figures.labels import changed, times
from core.store.cache import Store
from core.store.profiles import Profile
from core.store.results import Array
from pages.ui import view
from pages.ui.live import tour
from pages.ui.tour import parts


@dataclass(frozen=True, eq=False)
class Shown:
    """What may be drawn: the profile in view first, then the rest of a pair that was measured on one text."""

    profiles: dict[str, Profile]  # `view`, `trained`, `untrained`
    pair: tuple[Profile, Profile] | None  # the model and its untrained twin

    @property
    def labels(self) -> list[str]:
        """Weights and amount of text, as short as a control needs them; the text too where these do not tell apart."""
        return self._told({True: "trained", False: "untrained"}, "")

    @property
    def named(self) -> list[str]:
        """The same for a sentence."""
        return self._told({True: "The trained model", False: "The untrained twin"}, " tokens")

    def _told(self, weights: dict[bool, str], unit: str) -> list[str]:
        every = self.profiles.values()
        return words.telling_apart(
            [(f"{weights[_trained(each)]}, {_amount(each)}{unit}", _name(each)) for each in every]
        )


def draw(profile: Profile, found: lessons.Growth) -> None:
    """Lengths of the damage and of the stream: of the profile in view, and of a model and its twin on one text."""
    shown = _shown(profile)
    growth = [found if each is profile else lessons.absorb(each) for each in shown.profiles.values()]
    layer = view.layer(profile)
    stops = dict(zip(shown.profiles, shown.labels, strict=True))
    weights = parts.control("weights", "Weights, and tokens read", stops, "view", choice=True)
    drawn, said = shown.profiles[weights.values[weights.index]], growth[weights.index]
    with parts.screen(
        "A falling drift looks as if the network repaired, or **absorbed**, the damage. But drift is relative to the "
        "stream: where the stream outgrows the damage, that is **dilution**, not repair.",
        "click a layer and compare the slopes" + ("; then change the weights." if shown.pair else "."),
        picture(growth, shown.named, layer, weights),
    ):
        parts.lesson(said.said)
        if shown.pair:
            parts.lesson(f"{lessons.learned(*shown.pair)} {_both(shown.pair[0])}")
        _real(drawn, shown, layer)
    columns = {"damage grows": said.grown, "stream grows": said.around, "gain": said.gain}
    columns = {"layer": np.arange(len(said.gain)), "stream": said.stream} | columns
    parts.numbers(columns, "growth of damage and stream", drawn, "absorb")


def _shown(profile: Profile) -> Shown:
    entries = lessons.twins(Store(), profile)
    if entries is None:
        return Shown({"view": profile}, None)
    pair = tuple(profile if each.key == profile.entry.key else view.load(each.key) for each in entries)
    others = {name: each for name, each in zip(("trained", "untrained"), pair, strict=True) if each is not profile}
    return Shown({"view": profile} | others, pair)


def _trained(profile: Profile) -> bool:
    return profile.spec.model.initialised is None


def _both(either: Profile) -> str:
    return f"Both were measured on {_name(either)}, {_amount(either)} tokens."


def _name(profile: Profile) -> str:
    return str(profile.provenance.get("text", "text"))


def _amount(profile: Profile) -> str:
    text = profile.spec.text
    return f"{text.sequences} × {text.length}"


def _real(drawn: Profile, shown: Shown, layer: int) -> None:
    """The way to the Absorption page, beside the twin where what is drawn is one of the pair."""
    names = lessons.noise(drawn)
    other = next((each for each in shown.pair if each is not drawn), None) if drawn in (shown.pair or ()) else None
    label = "See “Absorbed, or only diluted?” among the charts" + (", beside the twin" if other else "")
    compare = {"compare": other.entry.key} if other else {}
    parts.real(
        "absorption.py", label, drawn, layer=layer,
        perturbation=names[min(names, key=lambda size: abs(size - lessons.SIZE))], positions="after_first", **compare,
    )  # fmt: skip


def picture(found: list[lessons.Growth], named: list[str], layer: int, weights: tour.Control) -> tour.Figure:
    """Two lengths over the layers; their distance is the drift."""
    damage = np.stack([each.damage for each in found])
    return tour.Figure(
        name=f"absorb-{len(found)}",
        title="Length of the damage and of the stream",
        layers=damage.shape[2],
        finding=found[weights.index].said,
        says="{what}: behind layer {layer} the damage {grown} and the stream {around}, so the drift {fate}. "
        "Damage that stayed as it was would leave {frozen} of the drift.",
        slots={
            "what": tour.Slot("frame", named),
            "grown": tour.written(changed, [each.grown for each in found]),
            "around": tour.written(changed, [each.around for each in found]),
            "fate": tour.written(changed, [each.gain for each in found]),
            "frozen": tour.written(times, [1 / each.around for each in found]),
        },
        y=[tour.log_axis("length of the vectors", each.stream, each.damage) for each in found],
        controls=[weights] if len(found) > 1 else [],
        height=220,
        pick=tour.Pick("Layer hit", layer),
        lines=[
            tour.Line(np.stack([each.stream for each in found]), "ink"),
            tour.Line(damage, "accent"),
            tour.Line(_frozen(damage), "guide", dash=True),
        ],
        key=[
            tour.Key("ink", "line", "the stream"),
            tour.Key("accent", "line", "the damage done behind layer {layer}"),
            tour.Key("guide", "dash", "damage that stayed as it was"),
        ],
    )


def _frozen(damage: Array) -> Array:
    """Every row at its value on the diagonal, (frames, injection, read)."""
    start = np.diagonal(damage, axis1=1, axis2=2)[:, :, None]
    return np.where(np.isfinite(damage), start, np.nan)
