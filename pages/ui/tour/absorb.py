"""Chapter 4: why drift falls: the damage and the stream around it, in the model and in its untrained twin."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from core import lessons
from core.profiles import Profile
from core.results import Array
from core.store import Store
from pages.ui import view, words
from pages.ui.live import tour
from pages.ui.tour import parts
from pages.ui.words import changed, times

WEIGHTS = {"trained": "trained", "untrained": "random weights, never trained"}


def draw(profile: Profile) -> None:
    """Lengths of the damage and of the stream, for the model and its twin on the same text."""
    pair = lessons.twins(Store(), profile)
    shown = [view.load(entry.key) for entry in pair] if pair else [profile]
    found = [lessons.absorb(each) for each in shown]
    layer = view.layer(profile)
    weights = view.sync("weights", list(WEIGHTS)[: len(found)], "trained")
    parts.opening(
        "A falling drift looks as if the network repaired the damage: it **absorbs**. But drift is relative to the "
        "stream: where the stream outgrows the damage, that is **dilution**, not repair.",
        "click a layer and compare the two slopes" + ("; then take the untrained twin." if pair else "."),
    )
    tour.figure(picture(found, layer, weights), view.look(), _moved)
    parts.lesson(found[0].said, *([lessons.learned(*shown)] if pair else []))
    if pair:
        st.caption(f"Both on the same text: {words.source(shown[0])}.")
    twin = {"compare": pair[1].key} if pair else {}
    names = lessons.noise(shown[0])
    parts.real(
        "absorption.py", "See dilution beside the twin, for every perturbation", shown[0], layer=layer,
        perturbation=names[min(names, key=lambda size: abs(size - lessons.SIZE))], positions="after_first", **twin,
    )  # fmt: skip
    parts.numbers(table(found[list(WEIGHTS).index(weights)]), "growth of damage and stream", shown[0], "absorb")


def _moved(told: dict) -> None:
    st.session_state["layer"] = told["layer"]
    if told["at"]:
        st.session_state["weights"] = list(WEIGHTS)[told["at"][0]]


def picture(found: list[lessons.Growth], layer: int, weights: str) -> tour.Figure:
    """Two lengths over the layers; their distance is the drift."""
    layers = len(found[0].stream)
    choice = tour.Control(
        "weights", "Weights of the model", list(WEIGHTS.values()), list(WEIGHTS).index(weights), choice=True
    )
    damage = np.stack([each.damage for each in found])
    return tour.Figure(
        name=f"absorb-{len(found)}",
        title="Length of the damage and of the stream",
        layers=layers,
        says="Behind layer {layer} the damage {grown} and the stream {around}, so the drift {fate}. Damage that stayed "
        "as it was would leave {frozen} of it.",
        slots={
            "grown": tour.Slot("both", [[changed(each) for each in one.grown] for one in found]),
            "around": tour.Slot("both", [[changed(each) for each in one.around] for one in found]),
            "fate": tour.Slot("both", [[changed(each) for each in one.gain] for one in found]),
            "frozen": tour.Slot("both", [[times(1 / each) for each in one.around] for one in found]),
        },
        y=[tour.log_axis("length of the vectors", each.stream, each.damage) for each in found],
        controls=[choice] if len(found) > 1 else [],
        pick=("Layer hit", layer),
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


def table(found: lessons.Growth) -> pd.DataFrame:
    """Growth up to the last layer, per layer hit."""
    columns = {"damage grows": found.grown, "stream grows": found.around, "gain": found.gain}
    return pd.DataFrame({"layer": np.arange(len(found.gain)), "stream": found.stream} | columns)
