"""A polish: the loss on the text that accepts against the work that was spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.figures.style import LIGHT, Chart, Palette, layout
from core.specs.formats import several


def polished(rounds: Sequence[Mapping], look: Palette = LIGHT) -> Chart:
    """Change of perplexity from the start on, over tokens of forward passes: a step per move that was kept.

    Args:
        rounds: as a polish stores them, each with `change` (nats/token, from where it stood), `accepted`, `tokens`, and
            `pairs`, of layers that traded a step; 0, or absent, where every layer moved by its slopes.
    """
    tokens = np.array([each["tokens"] for each in rounds], float)
    kept = np.array([each["accepted"] for each in rounds], bool)
    moved = np.array([each["change"] for each in rounds], float)
    stood = np.concatenate([[0.0], np.cumsum(np.where(kept, moved, 0.0))])
    tried = 100 * np.expm1(stood[:-1] + moved)
    stays = 100 * np.expm1(stood[1:])
    figure = go.Figure(go.Scatter(
        x=[0, *tokens], y=[0, *stays], mode="lines", line={"shape": "hv", "color": look.accent}, hoverinfo="skip",
        name="the best so far",
    ))  # fmt: skip
    for name, which, colour in (("kept", kept, look.accent), ("undone", ~kept, look.guide)):
        figure.add_trace(
            go.Scatter(
                x=tokens[which], y=tried[which], mode="markers", marker={"color": colour, "size": 9}, name=name,
                hovertemplate=f"%{{y:+.2f}} % against the start after %{{x:,.0f}} tokens ({name})<extra></extra>",
            )
        )  # fmt: skip
    figure.update_xaxes(title="work, tokens of forward passes of the dense model", rangemode="tozero")
    figure.update_yaxes(title="perplexity against the start, %")
    pairs = [each.get("pairs", 0) for each in rounds]
    columns = {"tokens": tokens, "pairs that trade": pairs, "perplexity against the start, %": tried, "kept": kept}
    title = "What does each move of the polish cost, and what does it bring?"
    drawn, finding = layout(figure, 300, legend=True), _finding(kept, stays, tokens)
    return Chart("polish", title, drawn, finding, pd.DataFrame(columns))


def _finding(kept: np.ndarray, stays: np.ndarray, tokens: np.ndarray) -> str:
    if not kept.any():
        return f"None of {several(len(kept), 'move')} lowered the loss on the text that selects: the start stays."
    return (
        f"{several(int(kept.sum()), 'move')} of {len(kept)} lowered the loss: perplexity is {-stays[-1]:.3g} % below "
        f"the start's on the text that selects, for {tokens[-1]:,.0f} tokens of work."
    )
