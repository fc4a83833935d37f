"""What is drawn into a figure: lines, whiskers, bands, words beside lines, what marks a value or the layer in view."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
import plotly.graph_objects as go

from core.show.figures.style import Palette
from core.store.results import Array

LETTER = 7  # pixels of a character of a name, at most
DASHES = ("solid", "dash", "dot", "longdash", "dashdot", "longdashdot")


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


def words(
    x: Sequence[float] | Array, y: Sequence[float] | Array, texts: Sequence[str], colour: str | Sequence[str],
    at: str = "middle right", name: str = "labels",
) -> go.Scatter:  # fmt: skip
    """Text beside points that are not drawn; it may stand outside the axes."""
    return go.Scatter(
        x=x,
        y=y,
        text=list(texts),
        textfont={"color": colour, "size": 12},
        mode="text",
        textposition=at,
        cliponaxis=False,
        hoverinfo="skip",
        name=name,
    )


def whiskers(value: Array, low: Array, high: Array, colour: str, thickness: float = 2) -> dict:
    """Error bars from values to the ends of their intervals; none where an end is not known."""
    known = np.isfinite(value) & np.isfinite(low) & np.isfinite(high)
    above, below = (np.subtract(*pair, out=np.zeros(len(value)), where=known) for pair in ((high, value), (value, low)))
    ends = {"type": "data", "array": above, "arrayminus": below}
    return ends | {"color": colour, "thickness": thickness, "width": 0}


def cells(x: Array, y: Array, said: str, **more: object) -> go.Scatter:
    """Invisible squares over the cells of a heatmap, which itself can be neither hovered well nor clicked.

    They are small: of two that both lie under the mouse plotly takes either, not the nearer one.
    """
    marker = {"symbol": "square", "size": 6, "opacity": 0}
    read = f"{said}<extra></extra>"
    return go.Scatter(x=x, y=y, mode="markers", marker=marker, hovertemplate=read, name="cells", **more)


def colour_bar(title: str, **more: object) -> dict:
    """A scale that lies above its heatmap."""
    lying = {"orientation": "h", "y": 1.0, "yanchor": "bottom", "thickness": 10, "ypad": 4}
    return {"title": {"text": title, "side": "top", "font": {"size": 12}}} | lying | more


def here(figure: go.Figure, x: float, look: Palette, width: float = 2) -> None:
    """A dotted line through what is in view."""
    figure.add_vline(x=x, line={"color": look.accent, "width": width, "dash": "dot"})


def above(figure: go.Figure, text: str, x: float = 0, anchor: str = "left", **more: object) -> None:
    """A remark over the picture, inside which something would cross it."""
    figure.add_annotation(remark(text, x, anchor, **more))


def remark(text: str, x: float = 0, anchor: str = "left", **more: object) -> dict[str, object]:
    """The same as plotly's annotation, for figures that have several."""
    place = {"x": x, "y": 1, "xref": "paper", "yref": "paper", "xanchor": anchor, "yanchor": "bottom"}
    return place | {"text": text, "showarrow": False} | more


def verdict_key(figure: go.Figure, look: Palette) -> None:
    """What the colours of verdicts mean, over the picture."""
    keys = (("amplifies", look.amplify), ("undecided", look.undecided), ("absorbs", look.absorb))
    said = "   ".join(f'<span style="color:{colour}">● {word}</span>' for word, colour in keys)
    above(figure, said, 1, "right", font={"size": 13})


def line_gap(values: Array, share: float = 0.055, least: float = 0.8) -> float:
    """About one line of text on a log axis of these values, in ln."""
    usable = values[np.isfinite(values) & (values > 0)]
    return share * float(np.log(usable.max() / usable.min()) + least) if usable.size else 0.1


def band(x: Sequence[float], low: Array, high: Array, colour: str, opacity: float = 0.2) -> go.Scatter:
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


def margin(names: Iterable[str]) -> int:
    """Pixels beside a picture that hold names, which may have several lines: as many in a wide one as on a phone."""
    return 16 + LETTER * max((len(line) for name in names for line in name.split("<br>")), default=0)


def line_labels(
    x: float,
    ys: Sequence[float],
    texts: Sequence[str],
    colours: Sequence[str],
    gap: float,
    side: str = "right",
    axis: tuple[float, float] | None = None,
) -> go.Scatter:
    """Names at the ends of lines on a log axis, moved apart by `gap` (in ln) a line where they would overlap.

    Args:
        axis: where it begins and ends; None: names may be moved beyond it.
    """
    room = gap * np.array([1 + text.count("<br>") for text in texts])
    placed = apart(np.log(ys), room, *map(math.log, axis or ()))
    return words([x] * len(ys), np.exp(placed), texts, list(colours), f"middle {side}")


def wrapped(name: str, width: int) -> str:
    """A name over lines of so many characters, broken after a comma where it can be; no markup but the breaks."""
    parts = [part.replace(" ", "\u00a0") if len(part) < width else part for part in name.split(", ")]
    lines = [name] if len(name) <= width else textwrap.wrap(", ".join(parts), width)
    return "<br>".join(map(escape, lines))


def rule(figure: go.Figure, y: float, since: float, to: float, **line: object) -> None:
    """A line that marks a value from one x to another, so that names beyond are not struck through."""
    figure.add_shape(type="line", x0=since, x1=to, y0=y, y1=y, line=line)


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


def see_through(colour: str, opacity: float) -> str:
    """`#rrggbb` as rgba."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
