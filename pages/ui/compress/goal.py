"""The goal part of the Compress page: the best setting within a goal."""

from core.store import Profile
from pages.ui import current_profile
from pages.ui.compress import search


def show(profile: Profile) -> None:
    """Draw the question, and the search that answers it."""
    current_profile.heading("What is the best setting?", profile)
    search.show(profile)
