"""The share of the stream that each layer changes."""

import pandas as pd
import plotly.graph_objects as go

from core.show.figures.style import Chart, InView


def influence(asked: InView) -> Chart:
    """Block influence of every layer, mean over sequences."""
    values = asked.profile.activation.block_influence.mean(1)
    return Chart(
        name="influence",
        title="How much does each layer change the stream?",
        figure=go.Figure(go.Bar(x=list(range(len(values))), y=values)),
        finding=f"Layer {values.argmax()} changes it most.",
        table=pd.DataFrame({"layer": range(len(values)), "influence": values}),
    )
