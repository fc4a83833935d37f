"""Results -> figures. Pure functions; each returns a `Chart`: figure, title, finding and table."""

from pages.ui.charts.allocation import Estimate, agreement, estimates, methods
from pages.ui.charts.drift import curves, direction
from pages.ui.charts.gain import STATISTICS, Line, compared, gains, line
from pages.ui.charts.matrix import heatmap
from pages.ui.charts.sizes import size_map
from pages.ui.charts.style import DARK, LIGHT, Chart, Palette
from pages.ui.charts.why import dilution, harm

__all__ = [
    "DARK",
    "LIGHT",
    "STATISTICS",
    "Chart",
    "Estimate",
    "Line",
    "Palette",
    "agreement",
    "compared",
    "curves",
    "dilution",
    "direction",
    "estimates",
    "gains",
    "harm",
    "heatmap",
    "line",
    "methods",
    "size_map",
]
