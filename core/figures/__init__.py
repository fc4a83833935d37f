"""Results -> figures. Pure functions; each returns a `Chart`: figure, title, finding and table."""

from core.figures.allocation import agreement, methods
from core.figures.drift import curves, direction
from core.figures.estimate import Estimate, estimates
from core.figures.gain import STATISTICS, Line, compared, gains, line
from core.figures.matrix import heatmap
from core.figures.sizes import size_map
from core.figures.style import DARK, LIGHT, Chart, Palette
from core.figures.why import dilution, harm
