"""Opening the tour, and reading what a chapter says."""

from core.show.lessons import shared as lessons
from tests.pages.opening import given, opened_at, pictures

CHAPTERS = ("perturb", "drift", "amplify", "absorb", "allocate", "prune")
GUESSED = {"sink": "stay"}


def opened(**view):
    """The page with a view in its URL."""
    return opened_at("learn", **view)


def text(app):
    """What Streamlit draws and what stands beside the live picture as it opens, without references."""
    told = [each.value for each in app.markdown]
    for picture in map(given, pictures(app)):
        told += map(lessons.plain, (picture["lead"], *(opening(picture, slot) for slot in picture["notes"])))
    return "\n".join(told)


def opening(picture, slot):
    """What a note says in the frame that the picture opens with."""
    frame = 0
    for control in picture["controls"]:
        frame = frame * len(control["stops"]) + control["index"]
    return slot["table"][frame if slot["by"] == "frame" else 0]
