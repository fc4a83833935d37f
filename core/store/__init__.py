"""Spec to file: results and their arrays, parts of them, profiles read back."""

from core.store.cache import Store, largest_committed
from core.store.entries import HOME, Entry
from core.store.profiles import Profile
from core.store.results import (
    Activation,
    Array,
    Cumulative,
    Difference,
    Losses,
    Merged,
    Perturbed,
    Removal,
    Scores,
    Seeds,
    Weights,
    ZeroShot,
    axes_of,
)
