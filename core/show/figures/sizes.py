"""The map layer x size: where amplification turns into absorption."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.base.spec import number
from core.results import propagation
from core.results.findings import named
from core.show.figures.axes import layer_axis
from core.show.figures.gain import Line
from core.show.figures.labels import digits
from core.show.figures.marks import cells, curve, here
from core.show.figures.matrix import diverging
from core.show.figures.style import LIGHT, Chart, Palette, layout
from core.store.results import Array


def size_map(sizes: Sequence[float], lines: Sequence[Line], layer: int, look: Palette = LIGHT) -> Chart:
    """Gain of gaussian noise over injection layers and sizes, the crossing size of each layer marked.

    Args:
        sizes: ascending, at least two.
        lines: gains of each size.
    """
    sizes = np.asarray(sizes, float)
    logs = np.log([each.value for each in lines])
    layers = logs.shape[1]
    cross = propagation.crossing(sizes, logs)
    figure = go.Figure(diverging(logs / np.log(2), np.arange(layers + 1) - 0.5, edges(sizes), look, "gain"))
    figure.add_trace(_targets(sizes, logs))
    figure.add_trace(_crossing(cross, look))
    here(figure, layer, look)
    figure.update_layout(
        xaxis=layer_axis(layers, "perturbed layer"),
        yaxis={
            "title": "size of the noise",
            "type": "log",
            "tickvals": sizes,
            "ticktext": [number(size) for size in sizes],
            "range": list(np.log10(edges(sizes)[[0, -1]])),
            "showgrid": False,
        },
    )
    table = pd.DataFrame(np.exp(logs).T, columns=[f"gain at {number(size)}" for size in sizes])
    table.insert(0, "injection layer", np.arange(layers))
    table["crossing size"] = cross
    layout(figure, height=400)
    title = "Does the size of the noise matter?"
    return Chart("gain-by-size", title, figure, _finding([each.verdicts for each in lines], cross), table)


def edges(sizes: Array) -> Array:
    """Borders between neighbouring sizes, halfway in ln; (sizes + 1,)."""
    logs = np.log(sizes)
    middles = (logs[1:] + logs[:-1]) / 2
    return np.exp(np.concatenate([[2 * logs[0] - middles[0]], middles, [2 * logs[-1] - middles[-1]]]))


def _crossing(cross: Array, look: Palette) -> go.Scatter:
    said, marker = "layer %{x}: gain crosses 1 at size %{y:.2g}", {"size": 7, "symbol": "diamond"}
    return curve(np.arange(len(cross)), cross, "crossing size", said, look.ink, 2, marker=marker)


def _targets(sizes: Array, logs: Array) -> go.Scatter:
    x, y = np.meshgrid(np.arange(logs.shape[1]), sizes)
    said = "layer %{x}, size %{y}: gain %{customdata:.3g}×"
    return cells(x.ravel(), y.ravel(), said, customdata=np.exp(logs).ravel())


def _finding(verdicts: Sequence[Sequence[str | None]], cross: Array) -> str:
    """What verdicts carry, and where the mean alone would have a turn.

    Args:
        verdicts: (sizes, layers), sizes ascending.
        cross: (layers,) crossing sizes of the mean; NaN without one.
    """
    layers = list(zip(*verdicts, strict=True))[:-1]
    crossing = [i for i in range(len(layers)) if np.isfinite(cross[i])]
    turning = [i for i in crossing if _turns(layers[i])]
    unsure = [i for i in crossing if not _turns(layers[i])]
    said = []
    for verdict, verb in (("absorbs", "absorbed"), ("amplifies", "amplified")):
        always = [i for i, every in enumerate(layers) if set(every) == {verdict}]
        if always:
            said.append(f"every measured size is {verb} at {named(always)}")
    if turning:
        said.append(
            f"small sizes are amplified and large ones absorbed at {named(turning)}, switching {_at(cross[turning])}"
        )
    if unsure:
        crosses = f"at {named(unsure)} the gain crosses 1, {_at(cross[unsure])}"
        said.append(f"{crosses}, but no crossing is statistically certain")
    return f"Gaussian noise: {'; '.join(said) or 'no layer certainly switches from amplifying to absorbing'}."


def _turns(verdicts: Sequence[str]) -> bool:
    """Whether a small size is amplified for certain and a larger one absorbed."""
    return "amplifies" in verdicts and "absorbs" in verdicts[verdicts.index("amplifies") :]


def _at(sizes: Array) -> str:
    low, high = digits(sizes.min()), digits(sizes.max())
    return f"at size {low}" if low == high else f"at sizes between {low} and {high}"
