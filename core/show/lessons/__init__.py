"""What the tour shows: arrays for its live figures, and sentences that follow from the profile. Numpy only.

Every sentence is computed: with another profile it says something else, and where the data do not bear out the usual
story it says so. Between two measured strengths a figure is read off by straight lines, and `Scale.measured` tells
which of its steps were measured.
"""

from core.show.lessons.absorb import Growth, absorb, learned, twins
from core.show.lessons.again import compared
from core.show.lessons.allocate import Push, correction
from core.show.lessons.amplify import GUESSES, SKIPPED, Sink, amplify, judged, skipping
from core.show.lessons.closing import closing
from core.show.lessons.drift import Spread, drift, misjudged
from core.show.lessons.marks import EVERY, FOOT, of, plain, ref
from core.show.lessons.measured import estimated, measured, measured_said, ranked
from core.show.lessons.perturb import Noise, perturb
from core.show.lessons.prune import Alone, methods, methods_said, prune, rank
from core.show.lessons.shared import DRIVER, PRUNED, SIZE, TARGET, Scale, between, noise, scale
