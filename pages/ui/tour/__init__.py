"""The tour: six chapters, each a sentence, a live figure on measured numbers, and one thing to do.

Here the parts of a chapter: its screen, its sliders, and its links to the pages that show every layer and size.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.base import frozen
from core.show.lessons.guesses import Guess
from core.show.lessons.shared import Lesson
from core.store import Profile
from pages.ui import choices
from pages.ui.live.figure import Bars, Control, Figure, Key, Slot, pick

Link = tuple[str, str, dict[str, str]]  # page, label and the view that it opens


@frozen
class Screen:
    """The screen of a chapter: a live figure, links to other pages and a guess to make first."""

    figure: Figure
    links: Sequence[Link]
    guess: Guess | None = None


def guessed(chapter: str) -> int | None:
    """The answer that was guessed in a chapter; None before."""
    return choices.sync(f"guess-{chapter}", [None, 0, 1, 2], None)


def link(page: str, label: str, profile: Profile, **view: object) -> Link:
    """A link to another page with the same view."""
    return page, label, {"profile": profile.key} | {key: str(value) for key, value in view.items()}


def control(key: str, label: str, stops: Mapping[str, str], usual: str, **more: object) -> Control:
    """A control whose value is in the URL; stops are value -> words."""
    at = list(stops).index(choices.sync(key, list(stops), usual))
    return Control(key, label, list(stops.values()), at, list(stops), **more)


def slider(key: str, label: str, values: Sequence[float], usual: int, write: Callable[[float], str]) -> Control:
    """A slider of the strengths that were measured, held in the URL."""
    stops = {f"{value:g}": write(value) for value in values}
    return control(key, label, stops, f"{values[usual]:g}", marks=list(enumerate(stops.values())))


def bars(lesson: Lesson, layer: int, control: Control, label: str, this: str, another: str, **more: Any) -> Figure:
    """A bar per layer at every stop of a slider, of which the picked one stands out.

    Args:
        label: of the slider that picks.
        this, another: what the picked bar and the others are.
        more: the rest of the figure.
    """
    return Figure(
        finding=lesson.sentence,
        controls=[control],
        pick=pick(label, lesson.values.shape[1], layer),
        bars=Bars(lesson.values),
        key=[Key("accent", this), Key("undecided", another)],
        foot=0.0,
        notes=[Slot(lesson.notes)],
        **more,
    )
