"""What the tour shows: arrays for its live figures, and sentences that follow from the profile. Numpy only.

Every sentence is computed: with another profile it says something else, and where the data do not bear out the usual
story it says so.
"""

from core.show.lessons.budgets import Alone, Push, correction, prune, rank
from core.show.lessons.damage import Noise, Spread, drift, perturb
from core.show.lessons.gain import (
    GUESSES,
    Growth,
    Sink,
    absorb,
    amplify,
    judged,
    learned,
    twins,
)
from core.show.lessons.shared import DRIVER, EVERY, FOOT, TARGET, noise, plain, ref, usual
