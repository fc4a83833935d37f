"""Chapter 4: why drift falls: the damage and the stream around it, in the model and in its untrained twin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from core.show import lessons
from core.show.figures import labels as words
from core.show.figures import scales
from core.show.figures.labels import changed, times
from core.store.cache import Store
from core.store.profiles import Profile
from core.store.results import Array
from pages.ui import subject
from pages.ui.live import figure
from pages.ui.tour import parts


def draw(profile: Profile, found: lessons.Growth) -> None:
    """Lengths of the damage and of the stream: of the profile in view, and of a model and its twin on one text."""
    pair = _pair(profile)
    others = zip(("trained", "untrained"), pair, strict=False)
    shown = {"view": profile} | {name: each for name, each in others if each is not profile}
    growth = [found if each is profile else lessons.absorb(each) for each in shown.values()]
    layer = subject.layer(profile)
    stops = dict(zip(shown, _told(shown.values(), "trained", "untrained", ""), strict=True))
    weights = parts.control("weights", "Weights, and tokens read", stops, "view", kind="choice")
    drawn, said = list(shown.values())[weights.index], growth[weights.index]
    named = _told(shown.values(), "The trained model", "The untrained twin", " tokens")
    compared = _compared(pair, dict(zip([each.entry.key for each in shown.values()], shown, strict=True)))
    with parts.screen(picture(growth, named, layer, weights, compared)):
        _real(drawn, next((each for each in pair if drawn in pair and each is not drawn), None), layer)
    columns = {"damage grows": said.grown, "stream grows": said.around, "gain": said.gain}
    columns = {"layer": np.arange(len(said.gain)), "stream": said.stream} | columns
    parts.numbers(columns, "growth of damage and stream", drawn, "absorb")


def _pair(profile: Profile) -> tuple[Profile, ...]:
    """The model and its untrained twin, measured on one text; empty where there is no such pair."""
    entries = lessons.twins(Store(), profile) or ()
    return tuple(profile if each.key == profile.entry.key else subject.load(each.key) for each in entries)


def _compared(pair: tuple[Profile, ...], stops: Mapping[str, str]) -> str:
    """What the twin tells; empty without one.

    Args:
        stops: key of a profile -> the stop of the control that shows it.
    """
    if not pair:
        return ""
    trained, twin = (f"stop-weights-{list(stops).index(each.entry.key)}" for each in pair)
    amount = lessons.ref(f"{_amount(pair[0])} tokens", trained, twin)
    return f"{lessons.learned(*pair, (trained, twin))} Both ran on {_text(pair[0])}, {amount}."


def _told(every: Iterable[Profile], trained: str, untrained: str, unit: str) -> list[str]:
    """Weights and amount of text of each; the text too where these do not tell them apart."""
    weights = [(trained if each.spec.model.initialised is None else untrained, each) for each in every]
    return words.telling_apart([(f"{said}, {_amount(each)}{unit}", _text(each)) for said, each in weights])


def _text(profile: Profile) -> str:
    return str(profile.provenance.get("text", "text"))


def _amount(profile: Profile) -> str:
    text = profile.spec.text
    return f"{text.sequences} × {text.length}"


def _real(drawn: Profile, twin: Profile | None, layer: int) -> None:
    """The way to the Absorption page, beside the twin where what is drawn has one."""
    names = lessons.noise(drawn)
    name = names[min(names, key=lambda size: abs(size - lessons.SIZE))]
    label = "See dilution on Absorption" + (", beside the twin" if twin else "")
    asked = {"layer": layer, "perturbation": name, "positions": "after_first"}
    parts.real("absorption.py", label, drawn, **asked, **({"compare": twin.entry.key} if twin else {}))


def picture(
    found: list[lessons.Growth], named: list[str], layer: int, weights: figure.Control, compared: str
) -> figure.Figure:
    """Two lengths over the layers; their distance is the drift."""
    several = len(found) > 1
    damage = np.stack([each.damage for each in found])
    return figure.Figure(
        name=f"absorb-{len(found)}",
        title="Length of the damage and of the stream",
        finding=found[weights.index].said,
        says=f"[{{what}}]({'control-weights' if several else 'stream'}): after layer [{{layer}}](damage-start) the "
        "damage [{grown}](damage-end) and the stream [{around}](stream-end), so drift "
        "[{fate}](damage-end stream-end). If the damage had stayed constant, drift would fall to "
        "[{frozen}](constant-end).",
        slots={
            "what": figure.Slot("frame", named),
            "grown": figure.written(changed, [each.grown for each in found]),
            "around": figure.written(changed, [each.around for each in found]),
            "fate": figure.written(changed, [each.gain for each in found]),
            "frozen": figure.written(times, [1 / each.around for each in found]),
        },
        y=[scales.log_axis("length of the vectors (log scale)", each.stream, each.damage) for each in found],
        controls=[weights] if several else [],
        height=220,
        pick=figure.pick("Noise after layer", damage.shape[1], layer),
        lines=[
            figure.Line(np.stack([each.stream for each in found]), "ink", mark="stream"),
            figure.Line(damage, "accent", mark="damage"),
            figure.Line(_frozen(damage), "guide", dash=True, mark="constant"),
        ],
        key=[
            figure.Key("ink", "line", "the stream"),
            figure.Key("accent", "line", "damage after layer {layer}"),
            figure.Key("guide", "dash", "constant damage"),
        ],
        lead=parts.opening(
            "Falling drift looks as if the network had repaired, or **absorbed**, the damage. But drift is relative "
            "to the stream. Where the stream outgrows the damage, the fall is **dilution**, not repair.",
            "compare the slopes" + (", then change the weights." if several else " at several layers."),
        ),
        notes=[figure.Slot("frame", [each.said for each in found]), figure.fixed(compared)],
    )


def _frozen(damage: Array) -> Array:
    """Every row at its value on the diagonal, (frames, injection, read)."""
    start = np.diagonal(damage, axis1=1, axis2=2)[:, :, None]
    return np.where(np.isfinite(damage), start, np.nan)
