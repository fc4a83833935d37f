"""What chapters share: their screen, their sliders, and the way to the page where the same is done for real.

Before a room there is the screen alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

from core.base.escape import plain
from core.show import lessons
from core.show.figures import labels
from core.show.lessons import Scale
from core.store.profiles import Profile
from core.store.results import Array
from pages.ui import frame, view
from pages.ui.live import figure
from pages.ui.tour import stage


@contextmanager
def screen(shown: figure.Figure) -> Iterator[None]:
    """The figure with all that it says, and a line of links below; those follow once the browser shows the figure."""
    frame.live(replace(shown, large=stage.presenting()))
    if frame.is_first_paint():
        view.end()
    with st.container(horizontal=True):
        yield


def opening(sentence: str, task: str) -> str:
    """What a chapter begins with: what it is about, and what there is to do."""
    return f"{sentence} **Try:** {task}"


def numbers(columns: Mapping[str, object], about: str, profile: Profile, name: str) -> None:
    """What a figure's numbers are of, and the numbers, folded away, with a download."""
    if stage.presenting():
        return
    st.caption(plain(labels.source(profile)))
    frame.numbers(pd.DataFrame(columns), about, f"{profile.entry.key[:6]}-tour-{name}", f"tour-{name}")


def real(page: str, label: str, profile: Profile, **choices: object) -> None:
    """A link to the page where the same is done for real, with the same view."""
    if stage.presenting():
        return
    plain = {"statistic": "geometric"} if page == "absorption.py" else {}  # else what was last chosen there would stay
    chosen = {"profile": profile.entry.key} | {key: str(value) for key, value in (plain | choices).items()}
    frame.link(page, label, chosen)


def control(key: str, label: str, stops: Mapping[str, str], usual: str, **more: object) -> figure.Control:
    """A control whose value is in the URL; stops are value -> words."""
    at = list(stops).index(view.sync(key, list(stops), usual))
    return figure.Control(key, label, list(stops.values()), at, list(stops), **more)


# --- strengths of what was measured, and those between ---------------------------------------------------------------


def slider(key: str, label: str, scale: Scale, usual: float, mark: Callable[[float], str]) -> figure.Control:
    """The strengths, in the URL with the digits that tell them apart, and a mark at those that were measured."""
    stops = dict(zip(_apart(scale.values), map(mark, scale.values), strict=True))
    nearest = min(scale.measured, key=lambda each: abs(scale.values[each] - usual))
    marks = [(at, mark(scale.values[at])) for at in scale.measured]
    return control(key, label, stops, list(stops)[nearest], marks=marks)


def _apart(values: Array) -> list[str]:
    """Values with as few digits as tell them apart, two or more: of two that read alike the URL would lose one."""
    spelt = ([f"{value:.{count}g}" for value in values] for count in range(2, 18))
    return next(each for each in spelt if len(set(each)) == len(each))


def noise(sizes: Scale) -> figure.Control:
    """The slider of noise sizes."""
    return slider("noise", "Noise size, relative to the stream", sizes, lessons.SIZE, "{:.2g}".format)


def real_noise(profile: Profile, sizes: Scale, step: int, layer: int) -> None:
    """The way to the page that shows the same noise, at the measured size nearest to the slider's."""
    size = list(lessons.noise(profile).values())[sizes.measured.index(sizes.nearest(step))]
    about = {"perturbation": size, "layer": layer, "positions": "after_first"}
    real("absorption.py", "See every layer and size on Absorption", profile, **about)


def origin(scale: Scale) -> figure.Slot:
    """Whether a step was measured, in words."""
    steps = range(len(scale.values))
    return figure.Slot("frame", ["measured" if step in scale.measured else "interpolated" for step in steps])


def measured(scale: Scale, table: Array, name: Callable[[float], str]) -> dict[str, Array]:
    """The measured rows of a table of (steps, layers), as columns beside the layers."""
    columns = {name(scale.values[step]): table[step] for step in scale.measured}
    return {"layer": np.arange(table.shape[1])} | columns


def bars_of(picked: str, other: str) -> list[figure.Key]:
    """The legend of bars of which one layer is picked."""
    return [figure.Key("accent", "block", picked), figure.Key("undecided", "block", other)]
