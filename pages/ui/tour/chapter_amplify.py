"""Chapter 3: gains, and the one token that turns them. The learner predicts before it is shown."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core import lessons
from core.analysis import findings
from core.figures import labels
from core.figures.labels import gain
from core.store.profiles import Profile
from pages.ui import view
from pages.ui.live import tour
from pages.ui.tour import parts

GUESSES = {"fall": "it falls", "stay": "it hardly changes", "rise": "it rises"}
OUTCOMES = {"fall": "falls to", "stay": "hardly changes, to", "rise": "rises to"}


def draw(profile: Profile, found: lessons.Sink) -> None:
    """Gains without the first token; with it after the prediction."""
    guess = view.sync("sink", [None, *GUESSES], None)
    layer = view.layer(profile)
    where = parts.control("noise-at", "Noise at", labels.POSITIONS, "all", choice=True) if guess else None
    with parts.screen(
        "The drift at the last layer divided by the drift at the hit is the **gain** of that layer: above 1× the rest "
        "of the network **amplifies** the drift, below 1× it **absorbs** it.",
        "switch the noise on the first token on and off." if guess else "predict, then see.",
        picture(found, layer, where),
    ):
        if guess:
            parts.lesson(_judged(guess, found), found.said)
        else:
            _ask(found)
        parts.real(
            "absorption.py", "See verdicts for every size", profile, perturbation=lessons.noise(profile)[found.size],
            layer=layer, positions=where.values[where.index] if where else "after_first",
        )  # fmt: skip
    parts.numbers(_columns(found, bool(guess)), "gain of each layer", profile, "amplify")


def _judged(guess: str, found: lessons.Sink) -> str:
    verdict = "That is what you said" if guess == found.answer else f"You said: {GUESSES[guess]}"
    return (
        f"{verdict}. With the first token disturbed too, the gain of a typical layer {OUTCOMES[found.answer]} "
        f"{gain(found.change)} what it was (median)."
    )


def _ask(found: lessons.Sink) -> None:
    st.markdown(
        f"**Predict.** So far the noise, size {found.size:g}, has spared the first token of each sequence. What does "
        "the gain of a typical layer do once this one token is disturbed too?"
    )
    with st.container(horizontal=True):
        for guess, label in GUESSES.items():
            st.button(label, key=f"sink-{guess}", on_click=st.session_state.update, kwargs={"sink": guess})


def picture(found: lessons.Sink, layer: int, where: tour.Control | None) -> tour.Figure:
    """A bar per layer from 1×, upward where it amplifies; without the choice only what spares the first token."""
    frames = [found.without, found.including] if where else [found.without]
    gains = np.stack([each.value for each in frames])
    return tour.Figure(
        name="amplify-after" if where else "amplify-before",
        title="Gain of each layer",
        finding=found.said if where else findings.finding(found.without),
        says="Noise of size {size} at {where}: the drift that begins behind layer {layer} is {gain} as large at the "
        "end; {verdict}.",
        slots={
            "size": tour.Slot("frame", [f"{found.size:g}"] * len(frames)),
            "where": tour.Slot("frame", list(labels.POSITIONS.values())[: len(frames)]),
            "gain": tour.written(gain, gains),
            "verdict": tour.Slot("both", [tour.fates(each.verdicts) for each in frames]),
        },
        y=tour.ratio_axis("gain", gains),
        controls=[where] if where else [],
        pick=tour.Pick("Layer hit", layer),
        bars=tour.Bars(gains, [tour.tones(each.verdicts) for each in frames]),
        key=tour.VERDICTS,
        foot=1.0,
        x="layer that is hit",
    )


def _columns(found: lessons.Sink, revealed: bool) -> dict[str, object]:
    """Gains with their intervals; with the first token only once it was shown."""
    decided = (None, *tour.TONES)  # the last layer has no verdict
    columns: dict[str, object] = {"layer": np.arange(len(found.without.value))}
    named = {"without first token": found.without} | ({"with it": found.including} if revealed else {})
    for name, each in named.items():
        columns |= {f"gain {name}": each.value, f"95% low {name}": each.low, f"95% high {name}": each.high}
        columns |= {f"verdict {name}": [verdict if verdict in decided else "undecided" for verdict in each.verdicts]}
    return columns
