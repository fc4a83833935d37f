"""The grammar of all charts: colours that mean the same everywhere, what is drawn, and what stands beside a figure."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.kinds import BASES
from core.store.profiles import Profile
from core.store.results import Array, Perturbed

CELLS = 48  # layers whose cells are kept apart by lines
LETTER = 7  # pixels of a character of a name, at most
DASHES = ("solid", "dash", "dot", "longdash", "dashdot", "longdashdot")
PRUNED = "residual:wanda:0.7"  # what noise is held against, unless another pruning is in view
REPAIRED = (PRUNED, "residual:wanda+refit:0.7")


@dataclass(frozen=True, kw_only=True)
class Palette:
    """Colours by meaning, safe for the colour-blind: blue absorbs, red amplifies, grey is neither."""

    amplify: str
    absorb: str
    undecided: str = "#8A8F98"
    accent: str  # the highlighted layer
    ink: str  # text and the strongest lines
    page: str  # what all lies on
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
    page="#FFFFFF",
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
    page="#0E1117",
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
    return [_mixed(*look.family, index / max(1, count - 1)) for index in range(count)]


def readable(colour: str, look: Palette) -> str:
    """A colour for words: mixed with ink until it stands out from the page by 4.5 : 1, as WCAG asks for."""
    return next(tone for share in range(11) if _contrast(tone := _mixed(colour, look.ink, share / 10), look.page) > 4.5)


def _mixed(one: str, other: str, share: float) -> str:
    pairs = zip(*map(_channels, (one, other)), strict=True)
    return "#{:02X}{:02X}{:02X}".format(*(round(a + (b - a) * share) for a, b in pairs))


def _channels(colour: str) -> tuple[int, ...]:
    """`#rrggbb` as three numbers up to 255."""
    return tuple(bytes.fromhex(colour[1:]))


def _contrast(*colours: str) -> float:
    linear = [[(part / 255 + 0.055) ** 2.4 / 1.055**2.4 for part in _channels(each)] for each in colours]
    dark, light = sorted(np.dot(each, (0.2126, 0.7152, 0.0722)) + 0.05 for each in linear)
    return light / dark


def verdict_colour(verdict: str | None, look: Palette) -> str:
    """Red where it amplifies, blue where it absorbs, grey else."""
    return {"amplifies": look.amplify, "absorbs": look.absorb}.get(verdict or "", look.undecided)


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
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": right, "t": top, "b": 8},
        showlegend=legend,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        hovermode="closest",
        dragmode=False,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        uirevision="keep",
    )
    figure.update_xaxes(automargin=True, zeroline=False)
    figure.update_yaxes(automargin=True, zeroline=False)
    return figure


@dataclass(frozen=True)
class InView:
    """What a chart is drawn of."""

    profile: Profile
    name: str  # of the perturbation
    layer: int  # the highlighted one
    look: Palette = LIGHT
    statistic: str = "geometric"
    twin: Profile | None = None  # another profile to compare with

    @property
    def seeds(self) -> list[Perturbed]:
        """The perturbation measured, by noise seed."""
        return self.profile.seeds(self.name)


# --- what is drawn ------------------------------------------------------------------------------------------------


def curve(
    x: Sequence[float] | Array, y: Sequence[float] | Array, name: str, said: str, colour: str, width: float = 1.5,
    dash: str | None = None, marker: dict | None = None, **more: object,
) -> go.Scatter:  # fmt: skip
    """A line, its points marked where it is said how, with what is read under the finger."""
    return go.Scatter(
        x=x,
        y=y,
        mode="lines+markers" if marker else "lines",
        line={"color": colour, "width": width} | ({"dash": dash} if dash else {}),
        marker=marker,
        hovertemplate=f"{said}<extra></extra>",
        name=name,
        **more,
    )


def band(x: Sequence[float] | Array, low: Array, high: Array, colour: str, opacity: float = 0.2) -> go.Scatter:
    """The area between two curves, where both are known."""
    usable = np.isfinite(low) & np.isfinite(high)
    x = np.asarray(x, float)[usable]
    return go.Scatter(
        x=np.concatenate([x, x[::-1]]),
        y=np.concatenate([low[usable], high[usable][::-1]]),
        fill="toself",
        fillcolor=see_through(colour, opacity),
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        name="95% interval",
    )


def see_through(colour: str, opacity: float) -> str:
    """`#rrggbb` as rgba."""
    return "rgba({},{},{},{})".format(*_channels(colour), opacity)


def whiskers(value: Array, low: Array, high: Array, colour: str, thickness: float = 2) -> dict:
    """Error bars from values to the ends of their intervals; none where an end is not known."""
    above, below = (np.nan_to_num(each, posinf=0, neginf=0) for each in (high - value, value - low))
    ends = {"type": "data", "array": above, "arrayminus": below}
    return ends | {"color": colour, "thickness": thickness, "width": 0}


def dots(
    of: str, names: Sequence[str], values: Array, told: Sequence[str], colours: Sequence[str], look: Palette
) -> go.Figure:
    """A dot with its interval in each row, and right of all of them what it says; the axis of rows is the caller's.

    Args:
        values: (names, 3) values and ends on the axis; NaN where they are not known.
    """
    points = go.Scatter(
        x=values[:, 0],
        y=list(names),
        error_x=whiskers(*values.T, look.undecided),
        mode="markers",
        marker={"size": 10, "color": list(colours)},
        customdata=list(told),
        hovertemplate="%{y}: %{customdata}<extra></extra>",
        name=of,
    )
    right = float(np.nanmax(values, initial=0.0))
    texts = [f"   {text}" for text in told]
    figure = go.Figure([points, labels([right] * len(names), list(names), texts, colours, look)])
    return layout(figure, height=110 + 34 * len(names), right=margin(texts))


def heat(z: Array, x: Array, y: Array, said: str | None, bar: dict | None, **more: object) -> go.Heatmap:
    """Cells of a colour each, with lines between them where they are large enough; even steps of lightness.

    Args:
        said: what is read under the finger; None: nothing.
        bar: the scale above it; None: it has none.
    """
    hover = {"hovertemplate": f"{said}<extra></extra>"} if said else {"hoverinfo": "skip"}
    gap = 0.5 if len(x) <= CELLS else 0.0
    usual = {"colorscale": "Cividis", "xgap": gap, "ygap": gap, "showscale": bar is not None, "colorbar": bar}
    return go.Heatmap(z=z, x=x, y=y, **(usual | hover | more))


def colour_bar(title: str, **more: object) -> dict:
    """A scale that lies above its heatmap."""
    lying = {"orientation": "h", "y": 1.0, "yanchor": "bottom", "thickness": 10, "ypad": 4}
    return {"title": {"text": title, "side": "top", "font": {"size": 12}}} | lying | more


def cells(x: Array, y: Array, said: str, **more: object) -> go.Scatter:
    """Invisible squares over the cells of a heatmap, which itself can be neither hovered well nor clicked.

    They are small: of two that both lie under the mouse plotly takes either, not the nearer one.
    """
    marker = {"symbol": "square", "size": 6, "opacity": 0}
    read = f"{said}<extra></extra>"
    return go.Scatter(x=x, y=y, mode="markers", marker=marker, hovertemplate=read, name="cells", **more)


def here(figure: go.Figure, x: float, look: Palette) -> None:
    """A dotted line through what is in view."""
    figure.add_vline(x=x, line={"color": look.accent, "width": 2, "dash": "dot"})


def rule(figure: go.Figure, y: float, since: float, to: float, **line: object) -> None:
    """A line that marks a value from one x to another, so that names beyond are not struck through."""
    figure.add_shape(type="line", x0=since, x1=to, y0=y, y1=y, line=line)


# --- words in figures ---------------------------------------------------------------------------------------------


def labels(
    x: Sequence[float] | Array, y: Sequence[float] | Array, texts: Sequence[str], colours: str | Sequence[str],
    look: Palette, at: str = "middle right", name: str = "labels",
) -> go.Scatter:  # fmt: skip
    """Text beside points that are not drawn; it may stand outside the axes."""
    hues = [colours] * len(texts) if isinstance(colours, str) else colours
    return go.Scatter(
        x=x,
        y=y,
        text=list(texts),
        textfont={"color": [readable(each, look) for each in hues], "size": 12},
        mode="text",
        textposition=at,
        cliponaxis=False,
        hoverinfo="skip",
        name=name,
    )


def line_labels(
    x: float, ys: Sequence[float], texts: Sequence[str], colours: Sequence[str], gap: float, look: Palette,
    side: str = "right", axis: tuple[float, float] | None = None,
) -> go.Scatter:  # fmt: skip
    """Names at the ends of lines on a log axis, moved apart by `gap` (in ln) a line where they would overlap.

    Args:
        axis: where it begins and ends; None: names may be moved beyond it.
    """
    room = gap * np.array([1 + text.count("<br>") for text in texts])
    placed = apart(np.log(ys), room, *map(math.log, axis or ()))
    return labels([x] * len(ys), np.exp(placed), texts, colours, look, f"middle {side}")


def line_gap(values: Array, share: float = 0.055, least: float = 0.8) -> float:
    """About one line of text on a log axis of these values, in ln."""
    usable = values[np.isfinite(values) & (values > 0)]
    return share * float(np.log(usable.max() / usable.min()) + least) if usable.size else 0.1


def apart(wanted: Array, gap: float | Array, low: float = -math.inf, high: float = math.inf) -> Array:
    """Positions near the wanted ones that keep their order and are at least `gap` from each other.

    Args:
        gap: one for all, or the room that each needs around its middle.
        low, high: where the room of the lowest begins at least, and that of the highest ends at most; where there is
            too little between them, only the former holds.
    """
    order = np.argsort(wanted, kind="stable")
    placed = np.asarray(wanted, float)[order]
    room = np.broadcast_to(np.asarray(gap, float), placed.shape)[order]
    steps = np.concatenate([[0.0], np.cumsum((room[1:] + room[:-1]) / 2)])[: len(placed)]
    rising = np.maximum.accumulate(placed - steps) + steps  # pushed up only
    falling = np.minimum.accumulate((placed - steps)[::-1])[::-1] + steps  # pushed down only
    result = np.empty(len(placed))
    least, most = low + room[:1] / 2 + steps, high - room[-1:] / 2 - steps[-1:] + steps
    result[order] = np.maximum(np.minimum((rising + falling) / 2, most), least)  # all keep the gap, so this does
    return result


def margin(names: Iterable[str]) -> int:
    """Pixels beside a picture that hold names, which may have several lines: as many in a wide one as on a phone."""
    return 16 + LETTER * max((len(line) for name in names for line in name.split("<br>")), default=0)


def wrapped(name: str, width: int) -> str:
    """A name over lines of so many characters, broken after a comma where it can be; no markup but the breaks."""
    parts = [part.replace(" ", "\u00a0") if len(part) < width else part for part in name.split(", ")]
    lines = [name] if len(name) <= width else textwrap.wrap(", ".join(parts), width)
    return "<br>".join(map(escape, lines))


def above(figure: go.Figure, text: str, x: float = 0, anchor: str = "left", **more: object) -> None:
    """A remark over the picture, inside which something would cross it."""
    place = {"x": x, "y": 1, "xref": "paper", "yref": "paper", "xanchor": anchor, "yanchor": "bottom"}
    figure.add_annotation(place | {"text": text, "showarrow": False} | more)


def verdict_key(figure: go.Figure, look: Palette) -> None:
    """What the colours of verdicts mean, over the picture."""
    hues = {word: readable(verdict_colour(word, look), look) for word in ("amplifies", "undecided", "absorbs")}
    said = "   ".join(f'<span style="color:{hue}">● {word}</span>' for word, hue in hues.items())
    above(figure, said, 1, "right", font={"size": 13})
