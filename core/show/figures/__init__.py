"""Results -> figures. Pure functions; each returns a `Chart`: figure, title, finding and table."""

from core import lazily
from core.show.figures.maps import heatmap
from core.show.figures.palette import DARK, LIGHT, Palette, colour, in_palette
from core.show.figures.style import Chart

__getattr__ = lazily(
    __name__,
    charts="CHARTS COMPARED GAIN GROUPS",
    evaluation="BEYOND sensible with_band",
    perplexity="perplexity_by_method",
    palette="HUE contrast mixed readable see_through shades",
    style="BOTTOM InView TOP themed",
)
