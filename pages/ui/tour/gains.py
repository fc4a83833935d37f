"""Chapters 3 and 4: what turns absorbing into amplifying, after a guess; and why drift falls, beside the twin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from core.base.formats import capital, changed, gain, times
from core.plan.gains import Gains
from core.results import findings
from core.show import lessons, words
from core.show.figures import axes
from core.store.cache import Store
from core.store.profiles import Profile
from core.store.results import Array
from pages.ui import subject, view
from pages.ui.live import figure
from pages.ui.tour import parts

WHERE = {
    "after_first": "noise, first token spared",
    "all": "noise, first token included",
    "skip": "layer skipped, no noise",
}


def amplify(profile: Profile, found: lessons.Sink) -> parts.Screen:
    """Gains without the first token; with it, and of skipped layers, after the guess."""
    guess = view.sync("sink", [None, *lessons.GUESSES], None)
    layer = subject.layer(profile)
    known = {"after_first": found.without, "all": found.including, lessons.SKIPPED: found.skipped}
    shown = {name: each for name, each in known.items() if each is not None and (guess or name == "after_first")}
    stops = {each: WHERE[each] for each in shown}
    what = parts.control("noise-at", "What is done", stops, "all", kind="choice") if guess else None
    where = what.values[what.index] if what else "after_first"
    noise = {"perturbation": lessons.noise(profile)[found.size], "positions": where}
    choices = {"perturbation": where} if where == lessons.SKIPPED else noise
    label = "See verdicts for every size on Absorption"
    link = parts.link("absorption.py", label, profile, layer=layer, **choices)
    return parts.Screen(_gains(found, layer, shown, what, guess), [link], profile)


def _gains(
    found: lessons.Sink, layer: int, shown: dict[str, Gains], what: figure.Control | None, guess: str | None
) -> figure.Figure:
    """A bar per layer from 1×, upward where it amplifies."""
    values = np.stack([each.value for each in shown.values()])
    notes = [lessons.judged(guess, found), found.said, lessons.skipping(found), found.why] if guess else []
    size = f"[{found.size:g}](layers)"
    done = {"after_first": f"Noise of size {size}, first token spared", "all": f"Noise of size {size} on every token",
            lessons.SKIPPED: "Layer left out instead of noise"}  # fmt: skip
    return figure.Figure(
        name="amplify",
        title="Gain of each layer",
        finding=lessons.plain(found.said) if guess else findings.finding(found.without),
        says="{done}: after layer [{layer}](layer-{layer}), the gain is [{gain}](layer-{layer}); {verdict}.",
        slots={
            "done": figure.Slot("frame", [done[each] for each in shown]),
            "gain": figure.written(gain, values),
            "verdict": figure.Slot("both", [figure.fates(each.verdicts) for each in shown.values()]),
        },
        y=axes.ratio_axis("gain (log scale)", values),
        controls=[what] if what else [],
        height=220,
        pick=figure.pick("Layer", values.shape[1], layer),
        bars=figure.Bars(values, [figure.tones(each.verdicts) for each in shown.values()]),
        key=[*figure.DECIDED, figure.Key("undecided", "block", "undecided: within 5 % of 1×, or uncertain")],
        foot=1.0,
        x="layer where the damage starts",
        lead=parts.opening(
            "**Gain** = drift at the last layer ÷ drift where the damage started. Above [1×](foot) the rest of the "
            "network **amplifies** it, below [1×](foot) it **absorbs** it.",
            "switch the first token on and off, then skip a layer instead." if guess else "make a guess, then see.",
        ),
        notes=[figure.fixed(each) for each in notes],
        ask=None if guess else _ask(found),
    )


def _ask(found: lessons.Sink) -> figure.Ask:
    def answered(guess: str) -> None:
        st.session_state.update({"sink": guess, "layer": found.most, "noise-at": "all"})

    return figure.Ask(
        "**Guess.** Here the noise spared the first token of every sequence. Now add it on that one token too. What "
        "happens to the gain of a typical layer?",
        lessons.GUESSES,
        answered,
    )


def absorb(profile: Profile, found: lessons.Growth) -> parts.Screen:
    """Lengths of the damage and of the stream: of the profile in view, and of a model and its twin on one text."""
    entries = lessons.twins(Store(), profile) or ()
    pair = tuple(profile if each.key == profile.entry.key else subject.load(each.key) for each in entries)
    shown = [profile, *(each for each in pair if each is not profile)]
    growth = [found, *map(lessons.absorb, shown[1:])]
    layer, names = subject.layer(profile), _named(shown)
    stops = dict(zip(["view", *map(_weights, shown[1:])], names, strict=True))
    weights = parts.control("weights", "Weights, and tokens read", stops, "view", kind="choice")
    drawn = shown[weights.index]
    twin = next((each for each in pair if drawn in pair and each is not drawn), None)
    drawing = _lengths(growth, names, layer, weights, _compared(pair, shown))
    return parts.Screen(drawing, [_dilution(drawn, twin, layer)], drawn)


def _named(profiles: Sequence[Profile]) -> list[str]:
    """Weights and amount of text of each; the text too where these do not tell them apart."""
    return words.telling_apart([(f"{_weights(each)}, {_amount(each)}", _text(each)) for each in profiles])


def _weights(profile: Profile) -> str:
    return "trained" if profile.spec.model.initialised is None else "untrained"


def _text(profile: Profile) -> str:
    return str(profile.provenance.get("text", "text"))


def _amount(profile: Profile) -> str:
    return f"{profile.spec.text.sequences} × {profile.spec.text.length}"


def _compared(pair: Sequence[Profile], shown: Sequence[Profile]) -> str:
    """What training has to do with it; empty without a twin."""
    if not pair:
        return ""
    trained, twin = (f"stop-weights-{shown.index(each)}" for each in pair)
    amount = lessons.ref(f"{_amount(pair[0])} tokens", trained, twin)
    return f"{lessons.learned(*pair, (trained, twin))} Both ran on {_text(pair[0])}, {amount}."


def _dilution(drawn: Profile, twin: Profile | None, layer: int) -> parts.Link:
    """A link to Absorption, beside the twin where there is one."""
    names = lessons.noise(drawn)
    asked = {"layer": layer, "perturbation": names[min(names, key=lambda size: abs(size - lessons.SIZE))]}
    asked |= {"positions": "after_first"} | ({"compare": twin.entry.key} if twin else {})
    label = "See dilution on Absorption" + (", beside the twin" if twin else "")
    return parts.link("absorption.py", label, drawn, **asked)


def _lengths(
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
            "what": figure.Slot("frame", list(map(capital, named))),
            "grown": figure.written(changed, [each.grown for each in found]),
            "around": figure.written(changed, [each.around for each in found]),
            "fate": figure.written(changed, [each.gain for each in found]),
            "frozen": figure.written(times, [1 / each.around for each in found]),
        },
        y=[axes.log_axis("length of the vectors (log scale)", each.stream, each.damage) for each in found],
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
