"""Allocations side by side: sparsity per layer by method, and where one leaves what a pruner can do."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.base.formats import capital, listed
from core.kinds import BASE_LABELS
from core.plan.budget import TOLERANCE, met
from core.results.comparison import spearman
from core.results.findings import clause
from core.show.figures.axes import layer_axis
from core.show.figures.marks import DASHES, apart, curve, rule, words
from core.show.figures.style import LIGHT, Chart, Palette, colour, layout
from core.store.results import Array


def methods(lines: Mapping[str, Array], shown: str, target: float, look: Palette = LIGHT) -> Chart:
    """Sparsity over layers, a line per method; one is highlighted.

    Args:
        lines: name -> (layers,) sparsity.
        shown: the highlighted name.
    """
    layers = len(lines[shown])
    every = np.concatenate([*lines.values(), [target - 0.02, target + 0.02]])
    figure = go.Figure()
    for index, name in enumerate(sorted(lines, key=lambda each: each == shown)):
        figure.add_trace(_line(name, lines[name], name == shown, DASHES[index % len(DASHES)], look))
    rule(figure, target, -0.6, layers - 1, color=look.guide, width=1, dash="dot")
    names = [f"<b>{name}</b>" if name == shown else name for name in lines]
    heights = apart(np.array([each[-1] for each in lines.values()]), 0.06 * float(np.ptp(every)))
    colours = [_hue(name, name == shown, look) for name in lines]
    figure.add_trace(words([layers - 0.7] * len(lines), heights, names, colours))
    room = 0.022 * layers * max(map(len, lines))
    figure.update_layout(
        xaxis=layer_axis(layers, "layer") | {"range": [-0.6, layers - 0.4 + room]},
        yaxis={"title": "sparsity (fraction of zeros)", "tickformat": ".2f"},
    )
    table = pd.DataFrame({"layer": np.arange(layers), **lines})
    return Chart("methods", "Methods on one axis", layout(figure, height=420), _alike(lines, shown), table)


def _line(name: str, values: Array, strong: bool, dash: str, look: Palette) -> go.Scatter:
    hue = _hue(name, strong, look)
    drawn = (hue, 2.5, None, {"size": 5}) if strong else (hue, 1.5, dash)
    return curve(np.arange(len(values)), values, name, f"{name}, layer %{{x}}: %{{y:.4f}}", *drawn)


def _hue(name: str, strong: bool, look: Palette) -> str:
    """The colour of the method that a name begins with; that of the highlighted line."""
    kind = next((kind for kind, label in BASE_LABELS.items() if name.startswith(label)), None)
    return look.accent if strong else colour(kind, look)


def _alike(lines: Mapping[str, Array], shown: str) -> str:
    same = [name for name, row in lines.items() if name != shown and np.allclose(row, lines[shown], atol=TOLERANCE)]
    ranked = {name: spearman(lines[shown], row) for name, row in lines.items() if name not in (shown, *same)}
    known = {name: value for name, value in ranked.items() if np.isfinite(value)}
    low, high = lines[shown].min(), lines[shown].max()
    spread = capital(f"{shown} spreads from {low:.3f} to {high:.3f}" if high - low > 1e-9 else f"{shown} is flat")
    spread += f" and is {listed(same)} itself" if same else ""
    if not known:
        return f"{spread}; there is nothing to rank it against."
    most, least = max(known, key=known.get), min(known, key=known.get)
    others = "of the others it" if same else "it"
    text = f"{spread}; {others} ranks the layers most like {most} (rank correlation {known[most]:.2f})"
    return f"{text} and least like {least} ({known[least]:.2f})." if least != most else f"{text}."


def agreement(lines: Mapping[str, Array]) -> pd.DataFrame:
    """Rank correlation of every pair; a flat line has none."""
    names = list(lines)
    rows = [[spearman(lines[a], lines[b]) for b in names] for a in names]
    return pd.DataFrame(rows, index=names, columns=names).dropna(how="all").dropna(how="all", axis=1)


def unclipped(sparsity: Array, parameters: Array, target: float, look: Palette = LIGHT) -> Chart:
    """Sparsity per layer as a reference code gives it, what no pruner could do marked.

    Args:
        sparsity: (layers,) perhaps below 0 or from 1 on.
        parameters: (layers,) prunable weights.
    """
    layers = len(sparsity)
    out = (sparsity < 0) | (sparsity >= 1)
    figure = go.Figure(
        go.Bar(
            x=np.arange(layers),
            y=sparsity,
            marker={
                "color": [look.amplify if each else look.undecided for each in out],
                "pattern": {"shape": ["/" if each else "" for each in out]},
            },
            hovertemplate="layer %{x}: %{y:.4f}<extra></extra>",
            name="unclipped",
        )
    )
    figure.add_trace(_marks(sparsity, out, look))
    for value, dash in ((0.0, "solid"), (1.0, "solid"), (target, "dot")):
        figure.add_hline(y=value, line={"color": look.ink, "width": 1, "dash": dash})
    low, high = min(0.0, float(sparsity.min())), max(1.0, float(sparsity.max()))
    room = 0.12 * (high - low)
    figure.update_layout(
        xaxis=layer_axis(layers, "layer"),
        yaxis={
            "title": "sparsity (fraction of zeros)",
            "tickformat": ".2f",
            "range": [low - (room if low < 0 else 0), high + (room if high > 1 else 0.03)],
        },
    )
    table = pd.DataFrame({"layer": np.arange(layers), "unclipped": sparsity, "cannot be pruned": out})
    finding = f"{_outside(sparsity)} {_spent(sparsity, parameters, target)}"
    return Chart("unclipped", "Sparsity per layer, unclipped", layout(figure, height=340), finding, table)


def _marks(sparsity: Array, out: NDArray[np.bool_], look: Palette) -> go.Scatter:
    """A triangle at the end of every bar that no pruner could do; the farthest ones with their numbers."""
    layers = np.flatnonzero(out)
    values = sparsity[layers]
    above = values >= 1
    farthest = {int(each) for each in (sparsity.argmax(), sparsity.argmin()) if out[each]}
    return go.Scatter(
        x=layers,
        y=values,
        mode="markers+text",
        marker={
            "symbol": ["triangle-up" if each else "triangle-down" for each in above],
            "size": 10,
            "color": look.amplify,
        },
        text=[f"<b>{value:.2f}</b>" if layer in farthest else "" for layer, value in zip(layers, values, strict=True)],
        textposition=[f"{'top' if each else 'bottom'} center" for each in above],
        textfont={"color": look.ink, "size": 12},
        cliponaxis=False,
        hoverinfo="skip",
        name="cannot be pruned",
    )


def _outside(sparsity: Array) -> str:
    above, below = np.flatnonzero(sparsity >= 1).tolist(), np.flatnonzero(sparsity < 0).tolist()
    text = ", ".join(
        filter(
            None,
            (
                clause(above, *(f"{verb} 1 or more (up to {sparsity.max():.3f})" for verb in ("reaches", "reach"))),
                clause(below, *(f"{verb} below 0 (down to {sparsity.min():.3f})" for verb in ("falls", "fall"))),
            ),
        )
    )
    return f"{capital(text)}: no pruner can do that." if text else "No layer leaves 0 to 1."


def _spent(sparsity: Array, parameters: Array, target: float) -> str:
    spent = met(sparsity, parameters)
    if abs(spent - target) <= TOLERANCE:
        return f"The mean over weights is {spent:.6f}, the target."
    side = "above" if spent > target else "below"
    return f"The mean over weights is {spent:.6f}, {abs(spent - target):.2g} {side} the target {target:g}."
