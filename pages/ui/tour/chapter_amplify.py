"""Chapter 3: gains, and what turns absorbing into amplifying. The learner guesses before it is shown."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.plan.gains import Gains
from core.results import findings
from core.show import lessons
from core.show.figures import scales
from core.show.figures.gain import columns as gain_columns
from core.show.figures.labels import gain
from core.store.profiles import Profile
from pages.ui import subject, view
from pages.ui.live import figure
from pages.ui.tour import parts

WHERE = {
    "after_first": "noise, first token spared",
    "all": "noise, first token included",
    "skip": "layer skipped, no noise",
}


def draw(profile: Profile, found: lessons.Sink) -> None:
    """Gains without the first token; with it, and of skipped layers, after the guess."""
    guess = view.sync("sink", [None, *lessons.GUESSES], None)
    layer = subject.layer(profile)
    shown = gains(found) if guess else {"after_first": found.without}
    stops = {each: WHERE[each] for each in shown}
    what = parts.control("noise-at", "What is done", stops, "all", kind="choice") if guess else None
    with parts.screen(picture(found, layer, shown, what, guess)):
        where = what.values[what.index] if what else "after_first"
        skipped = where == lessons.SKIPPED
        parts.real(
            "absorption.py", "See verdicts for every size on Absorption", profile, layer=layer,
            perturbation=where if skipped else lessons.noise(profile)[found.size],
            **({} if skipped else {"positions": where}),
        )  # fmt: skip
    parts.numbers(_columns(shown), "gain of each layer", profile, "amplify")


def gains(found: lessons.Sink) -> dict[str, Gains]:
    """What can be done to a layer -> the gains of every layer."""
    known = {"after_first": found.without, "all": found.including, lessons.SKIPPED: found.skipped}
    return {name: each for name, each in known.items() if each is not None}


def picture(
    found: lessons.Sink, layer: int, shown: dict[str, Gains], what: figure.Control | None, guess: str | None
) -> figure.Figure:
    """A bar per layer from 1×, upward where it amplifies."""
    values = np.stack([each.value for each in shown.values()])
    told = [lessons.judged(guess, found), found.said, lessons.skipping(found), found.why] if guess else []
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
        y=scales.ratio_axis("gain (log scale)", values),
        controls=[what] if what else [],
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
        notes=[figure.fixed(each) for each in told],
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


def _columns(shown: dict[str, Gains]) -> dict[str, object]:
    """Gains with their intervals, of what is shown."""
    names = {"after_first": "without first token", "all": "with it", lessons.SKIPPED: "skipped"}
    columns = [
        (f"{column} {names[key]}", values)
        for key, each in shown.items()
        for column, values in gain_columns(each).items()
    ]
    return {"layer": np.arange(len(shown["after_first"].value)), **dict(columns)}
