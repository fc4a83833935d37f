"""What all charts share: colours that mean the same everywhere, and what stands beside a figure."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from core.kinds import BASES


@dataclass(frozen=True, kw_only=True)
class Palette:
    """Colours by meaning, safe for the colour-blind: blue absorbs, red amplifies, grey is neither."""

    amplify: str
    absorb: str
    undecided: str = "#8A8F98"
    accent: str  # the highlighted layer
    ink: str  # text and the strongest lines
    faint: str  # what stands behind
    family: tuple[str, str]  # ends of the shades that order lines of one family, such as sizes of noise
    guide: str = "#8A8F98"  # lines that mark a value
    diverging: tuple[tuple[float, str], ...]  # absorb - neutral - amplify
    hidden: str  # cells that say nothing


LIGHT = Palette(
    amplify="#C8321E",
    absorb="#0072B2",
    accent="#A63D7D",
    ink="#31333F",
    faint="#C3C7CE",
    family=("#8CC7B5", "#0B5D4B"),
    diverging=((0, "#00507D"), (0.25, "#4A9BCB"), (0.5, "#E9E9E9"), (0.75, "#E8836B"), (1, "#A62017")),
    hidden="#BFC3C9",
)
DARK = Palette(
    amplify="#F2674A",
    absorb="#4BA3DA",
    accent="#E78BC4",
    ink="#FAFAFA",
    faint="#4A4F5A",
    family=("#3E7F70", "#A6E5D2"),
    diverging=((0, "#7CC6F2"), (0.25, "#2F7DB0"), (0.5, "#5A5D64"), (0.75, "#B8462F"), (1, "#FF8E73")),
    hidden="#23262E",
)


def colour(kind: str | None, look: Palette) -> str:
    """The colour of a base allocator's line, the same in every chart; ink where it has none of its own."""
    pair = BASES[kind].colours if kind in BASES else None
    return look.ink if pair is None else pair[look is DARK]


def shades(count: int, look: Palette) -> list[str]:
    """Colours for lines of one family, pale to strong: they order it and mean nothing else."""
    pale, strong = ([int(each[i : i + 2], 16) for i in (1, 3, 5)] for each in look.family)
    shares = [index / max(1, count - 1) for index in range(count)]
    mixed = ([round(a + (b - a) * share) for a, b in zip(pale, strong, strict=True)] for share in shares)
    return ["#{:02X}{:02X}{:02X}".format(*each) for each in mixed]


@dataclass(frozen=True, eq=False)
class Chart:
    """A figure with everything that must stand beside it."""

    name: str  # for files
    title: str
    figure: go.Figure
    finding: str  # one sentence
    table: pd.DataFrame

    @property
    def alt(self) -> str:
        """The text alternative: title and finding, each a sentence."""
        return f"{self.title}{'' if self.title.endswith('?') else '.'} {self.finding}"


def layout(figure: go.Figure, height: int = 380, right: int = 16, top: int = 12, legend: bool = False) -> go.Figure:
    """Room for labels, a legend only above, no box to zoom by accident while scrolling."""
    if legend:
        figure.update_layout(legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"})
    figure.update_layout(common(height, right, top, legend))
    figure.update_xaxes(automargin=True, zeroline=False)
    figure.update_yaxes(automargin=True, zeroline=False)
    return figure


def common(height: int, right: int = 16, top: int = 12, legend: bool = False) -> dict[str, object]:
    """What the layout of every figure says, whatever its axes."""
    return {
        "height": height,
        "margin": {"l": 8, "r": right, "t": top, "b": 8},
        "showlegend": legend,
        "hovermode": "closest",
        "dragmode": False,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "uirevision": "keep",
    }
