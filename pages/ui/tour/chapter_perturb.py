"""Chapter 1: hit one layer, and some predictions change."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from core import lessons
from core.store.profiles import Profile
from pages.ui import view
from pages.ui.live import tour
from pages.ui.tour import parts


def draw(profile: Profile, found: lessons.Hit) -> None:
    """Share of changed predictions over the layer hit, under a noise slider."""
    layer, step = view.layer(profile), parts.step("noise", found.sizes, lessons.SIZE)
    parts.opening(
        f"A language model is a stack of layers, here {profile.layers}; each reads a shared **stream** of numbers and "
        "adds to it. To **perturb** is to add noise to the stream behind one layer and to let the rest run on.",
        "click a layer to hit it, then "
        + ("drag the noise size." if len(found.sizes.measured) > 1 else "others to compare."),
    )
    figure, said = parts.beside()
    with figure:
        shown = picture(found, profile.layers, layer, step)
        parts.figure(shown, lambda told: moved(told, found.sizes))
    with said:
        parts.lesson(found.said)
        for_real(profile, found.sizes, step, layer)
    parts.numbers(table(found), "share of changed predictions", profile, "perturb")


def for_real(profile: Profile, sizes: lessons.Scale, step: int, layer: int) -> None:
    """The way to the page that shows the same noise, at the measured size nearest to the slider's."""
    size = list(lessons.noise(profile).values())[sizes.measured.index(sizes.nearest(step))]
    parts.real(
        "absorption.py", "See every layer, size and control", profile, perturbation=size, layer=layer,
        positions="after_first",
    )  # fmt: skip


def picture(found: lessons.Hit, layers: int, layer: int, step: int) -> tour.Figure:
    """A bar per layer."""
    return tour.Figure(
        name="perturb",
        title="Share of next-token predictions that change, by the layer hit",
        layers=layers,
        finding=found.said,
        says="Noise of size {size} behind layer {layer} changes {flips} of the next-token predictions ({origin}).",
        slots={
            "size": tour.Slot("frame", parts.written(found.sizes)),
            "flips": tour.Slot("both", [[f"{share:.1%}" for share in row] for row in found.flips]),
            "origin": tour.Slot("frame", parts.origin(found.sizes)),
        },
        y=tour.linear_axis("predictions changed", 0, float(found.flips.max()) * 1.04, "{:.0%}".format),
        controls=[noise(found.sizes, step)],
        pick=("Layer hit", layer),
        bars=tour.Bars(found.flips),
        key=[
            tour.Key("accent", "block", "the layer you hit"),
            tour.Key("undecided", "block", "any other layer, if hit"),
        ],
        foot=0.0,
        x="layer that is hit",
    )


def noise(sizes: lessons.Scale, step: int) -> tour.Control:
    """The slider of sizes, with the measured ones marked."""
    stops = parts.written(sizes)
    marks = [(index, stops[index]) for index in sizes.measured]
    return tour.Control("noise", "Noise size, relative to the stream", stops, step, marks)


def moved(told: dict, sizes: lessons.Scale) -> None:
    """Remember what was picked."""
    st.session_state["layer"] = told["layer"]
    parts.keep("noise", sizes, told["at"][0])


def table(found: lessons.Hit) -> pd.DataFrame:
    """Measured sizes only."""
    columns = {f"size {found.sizes.values[i]:g}": found.flips[i] for i in found.sizes.measured}
    return pd.DataFrame({"layer": np.arange(found.flips.shape[1])} | columns)
