"""Results -> figures. Pure functions; each returns a `Chart`: figure, title, finding and table."""

from core.show.figures.gain import STATISTICS
from core.show.figures.maps import heatmap
from core.show.figures.palette import DARK, LIGHT, Palette, colour, in_palette
from core.show.figures.style import Chart
