"""Chapter 3: gains, and the one token that turns them. The learner predicts before it is shown."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from core import lessons
from core.analysis import findings
from core.analysis.gains import Gains
from core.figures import labels
from core.figures.labels import gain
from core.store.profiles import Profile
from pages.ui import view
from pages.ui.absorption.overview import SAID
from pages.ui.live import tour
from pages.ui.tour import parts

GUESSES = {"fall": "it falls", "stay": "it hardly changes", "rise": "it rises"}
OUTCOMES = {"fall": "falls to", "stay": "hardly changes, to", "rise": "rises to"}
WHERE = list(labels.POSITIONS)


def draw(profile: Profile, found: lessons.Sink) -> None:
    """Gains without the first token; with it after the prediction."""
    guess = view.sync("sink", [None, *GUESSES], None)
    layer = view.layer(profile)
    where = view.sync("noise-at", WHERE, "all") if guess else "after_first"
    parts.opening(
        "The drift at the last layer divided by the drift at the hit is the **gain** of that layer: above 1× the rest "
        "of the network **amplifies** the drift, below 1× it **absorbs** it.",
        "switch the noise on the first token on and off." if guess else "predict, then see.",
    )
    name = lessons.noise(profile)[found.size]
    figure, said = parts.beside()
    with figure:
        parts.figure(picture(found, profile.layers, layer, where, bool(guess)), _moved)
    with said:
        if guess:
            parts.lesson(_judged(guess, found), found.said)
        else:
            _ask(found)
        parts.real(
            "absorption.py", "See verdicts for every size", profile, perturbation=name,
            layer=layer, positions=where,
        )  # fmt: skip
    parts.numbers(table(found, bool(guess)), "gain of each layer", profile, "amplify")


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
            st.button(label, key=f"sink-{guess}", on_click=_guess, args=[guess])


def _guess(guess: str) -> None:
    st.session_state["sink"] = guess


def _moved(told: dict) -> None:
    st.session_state["layer"] = told["layer"]
    if told["at"]:
        st.session_state["noise-at"] = WHERE[told["at"][0]]


def picture(found: lessons.Sink, layers: int, layer: int, where: str, revealed: bool) -> tour.Figure:
    """A bar per layer from 1×, upward where it amplifies."""
    frames = [found.without, found.including] if revealed else [found.without]
    choice = tour.Control("noise-at", "Noise at", list(labels.POSITIONS.values()), WHERE.index(where), choice=True)
    every = np.stack([found.without.value, found.including.value])
    return tour.Figure(
        name="amplify-after" if revealed else "amplify-before",
        title="Gain of each layer",
        layers=layers,
        finding=found.said if revealed else findings.finding(found.without),
        says="Noise of size {size} at {where}: the drift that begins behind layer {layer} is {gain} as large at the "
        "end; {verdict}.",
        slots={
            "size": tour.Slot("frame", [f"{found.size:g}"] * len(frames)),
            "where": tour.Slot("frame", list(labels.POSITIONS.values())[: len(frames)]),
            "gain": tour.Slot("both", [[gain(value) for value in each.value] for each in frames]),
            "verdict": tour.Slot("both", [[SAID[verdict] for verdict in _plain(each)] for each in frames]),
        },
        y=tour.ratio_axis("gain", every if revealed else found.without.value),
        controls=[choice] if revealed else [],
        pick=("Layer hit", layer),
        bars=tour.Bars(np.stack([each.value for each in frames]), [_tones(each) for each in frames]),
        key=tour.VERDICTS,
        foot=1.0,
        x="layer that is hit",
    )


def _tones(found: Gains) -> list[str]:
    return [tour.TONES.get(verdict, "undecided") for verdict in found.verdicts]


def _plain(found: Gains) -> list[str | None]:
    """Verdicts without their number of sequences; None for the last layer, which has none."""
    known = {None, *tour.TONES}
    return [verdict if verdict in known else "undecided" for verdict in found.verdicts]


def table(found: lessons.Sink, revealed: bool) -> pd.DataFrame:
    """Gains with their intervals; with the first token only once it was shown."""
    columns = {"layer": np.arange(len(found.without.value))}
    named = {"without first token": found.without} | ({"with it": found.including} if revealed else {})
    for name, each in named.items():
        columns |= {f"gain {name}": each.value, f"95% low {name}": each.low, f"95% high {name}": each.high}
        columns |= {f"verdict {name}": _plain(each)}
    return pd.DataFrame(columns)
