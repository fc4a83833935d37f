"""What the tour shows: arrays for its live figures, and sentences that follow from the profile. Numpy only.

Every sentence is computed: with another profile it says something else, and where the data do not bear out the usual
story it says so. Between two measured strengths a figure is read off by straight lines, and `Scale.measured` tells
which of its steps were measured.
"""

from core.lessons.absorb import Growth, absorb, learned, twins
from core.lessons.again import compared
from core.lessons.allocate import Push, correction
from core.lessons.amplify import GUESSES, SKIPPED, Sink, amplify, judged, skipping
from core.lessons.closing import closing
from core.lessons.drift import Spread, drift, misjudged
from core.lessons.marks import EVERY, FOOT, of, plain, ref
from core.lessons.measured import Whole, estimated, measured, measured_said, ranked
from core.lessons.perturb import Noise, perturb
from core.lessons.prune import Alone, methods, methods_said, prune, rank
from core.lessons.shared import DRIVER, PRUNED, SIZE, TARGET, Scale, between, noise, scale
