"""Words inside figures: names beside points and lines, kept apart and wrapped, and keys above."""

import math
import textwrap
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
import plotly.graph_objects as go

from core.show.figures.palette import readable, verdict_colour
from core.store import Array

LETTER = 7  # pixels of a character of a name, at most


def labels(
    x: Sequence[float] | Array, y: Sequence[float] | Array, texts: Sequence[str], colours: str | Sequence[str],
    at: str = "middle right",
) -> go.Scatter:  # fmt: skip
    """Text beside points that are not drawn; it may stand outside the axes."""
    hues = [colours] * len(texts) if isinstance(colours, str) else colours
    return go.Scatter(
        x=x,
        y=y,
        text=list(texts),
        textfont={"color": [readable(each) for each in hues], "size": 12},
        mode="text",
        textposition=at,
        cliponaxis=False,
        hoverinfo="skip",
        name="labels",
    )


def line_labels(
    x: float, ys: Sequence[float], texts: Sequence[str], colours: Sequence[str], gap: float,
    side: str = "right", axis: tuple[float, float] | None = None,
) -> go.Scatter:  # fmt: skip
    """Names at the ends of lines on a log axis, moved apart by `gap` (in ln) a line where they would overlap.

    Args:
        axis: where it begins and ends; None: names may be moved beyond it.
    """
    room = gap * np.array([1 + text.count("<br>") for text in texts])
    placed = apart(np.log(ys), room, *map(math.log, axis or ()))
    return labels([x] * len(ys), np.exp(placed), texts, colours, f"middle {side}")


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


def verdict_key(figure: go.Figure) -> None:
    """What the colours of verdicts mean, over the picture."""
    hues = {word: readable(verdict_colour(word)) for word in ("amplifies", "undecided", "absorbs")}
    said = "   ".join(f'<span style="color:{hue}">● {word}</span>' for word, hue in hues.items())
    above(figure, said, 1, "right", yshift=24)
