"""The form of a chapter, its sliders, and its links to the pages that show every layer and size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from core.show import lessons
from core.show.lessons import Scale
from core.store.profiles import Profile
from core.store.results import Array
from pages.ui import view
from pages.ui.live import figure

Link = tuple[str, str, dict[str, str]]  # page, label and the view that it opens


@dataclass(frozen=True, eq=False)
class Screen:
    """What a chapter shows: a live figure, links to other pages, and a sentence below."""

    figure: figure.Figure
    links: Sequence[Link]
    profile: Profile  # that is drawn
    below: str = ""


def opening(sentence: str, task: str) -> str:
    """The beginning of a chapter: its subject, and what to try."""
    return f"{sentence} **Try:** {task}"


def link(page: str, label: str, profile: Profile, **choices: object) -> Link:
    """A link to another page with the same view."""
    usual = {"statistic": "geometric"} if page == "absorption.py" else {}  # else what was last chosen there would stay
    return page, label, {"profile": profile.entry.key} | {key: str(each) for key, each in (usual | choices).items()}


def control(key: str, label: str, stops: Mapping[str, str], usual: str, **more: object) -> figure.Control:
    """A control whose value is in the URL; stops are value -> words."""
    at = list(stops).index(view.sync(key, list(stops), usual))
    return figure.Control(key, label, list(stops.values()), at, list(stops), **more)


def slider(key: str, label: str, scale: Scale, usual: float, mark: Callable[[float], str]) -> figure.Control:
    """A slider of strengths, held in the URL, with a mark at those that were measured."""
    stops = dict(zip(_spelt(scale.values), map(mark, scale.values), strict=True))
    nearest = min(scale.measured, key=lambda each: abs(scale.values[each] - usual))
    marks = [(at, mark(scale.values[at])) for at in scale.measured]
    return control(key, label, stops, list(stops)[nearest], marks=marks)


def _spelt(values: Array) -> list[str]:
    """Values with as few digits, two or more, as tell them apart: of two that read alike the URL would lose one."""
    spelt = ([f"{value:.{count}g}" for value in values] for count in range(2, 18))
    return next(each for each in spelt if len(set(each)) == len(each))


def noise(sizes: Scale) -> figure.Control:
    """The slider of noise sizes."""
    return slider("noise", "Noise size, relative to the stream", sizes, lessons.SIZE, "{:.2g}".format)


def noise_link(profile: Profile, sizes: Scale, step: int, layer: int) -> Link:
    """A link to the same noise on Absorption, at the measured size nearest to the slider's."""
    size = list(lessons.noise(profile).values())[sizes.measured.index(sizes.nearest(step))]
    about = {"perturbation": size, "layer": layer, "positions": "after_first"}
    return link("absorption.py", "See every layer and size on Absorption", profile, **about)


def origin(scale: Scale) -> figure.Slot:
    """Whether each step was measured, in words."""
    steps = range(len(scale.values))
    return figure.Slot("frame", ["measured" if step in scale.measured else "interpolated" for step in steps])


def bars_of(picked: str, other: str) -> list[figure.Key]:
    """The legend of bars of which one layer is picked."""
    return [figure.Key("accent", "block", picked), figure.Key("undecided", "block", other)]
