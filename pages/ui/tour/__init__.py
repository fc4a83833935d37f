"""The tour: six chapters, each a sentence, a live figure on measured numbers, and one thing to do.

Here the parts of a chapter: its screen, its sliders, and its links to the pages that show every layer and size.
"""

from collections.abc import Callable, Mapping, Sequence

from core.base import frozen
from core.show.lessons.guesses import Guess
from core.store import Profile
from pages.ui import choices
from pages.ui.live.figure import Control, Figure

Link = tuple[str, str, dict[str, str]]  # page, label and the view that it opens


@frozen
class Screen:
    """The screen of a chapter: a live figure, links to other pages, a guess to make first, and a sentence below."""

    figure: Figure
    links: Sequence[Link]
    below: str = ""
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
