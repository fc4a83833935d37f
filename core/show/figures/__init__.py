"""Results -> figures. Pure functions; each returns a `Chart`: figure, title, finding and table."""

from core.show.figures.drift import curves, direction
from core.show.figures.gain import STATISTICS, Line, compared, gains, line
from core.show.figures.maps import heatmap, size_map
from core.show.figures.palette import DARK, LIGHT, Palette
from core.show.figures.style import Chart
from core.show.figures.why import dilution, harm
