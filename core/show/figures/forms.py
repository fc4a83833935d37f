"""Forms that a model can be written in: bytes against perplexity, and against tokens a second."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from core.base import digits
from core.show.figures.axes import log_axis
from core.show.figures.palette import LIGHT
from core.show.figures.style import Chart, layout, points
from core.show.words import study_lines


def forms(sizes: Mapping[str, float], perplexities: Mapping[str, float], rates: Mapping[str, float]) -> Chart | None:
    """Both over one axis of bytes, or the one that is known of two forms or more; None where neither is.

    Args:
        sizes: bytes of all weights by form; the others by the same names.
        rates: tokens a second.
    """
    series = {"perplexity": perplexities, "tokens a second": rates}
    drawn = {title: values for title, values in series.items() if len(values.keys() & sizes.keys()) > 1}
    if not drawn:
        return None
    x = log_axis("all weights, MB (log scale)", np.array([*sizes.values()]) / 1e6)
    traces, axes = [], {}
    for number, (title, numbers) in enumerate(drawn.items(), 1):
        names = [name for name in sizes if name in numbers]
        values = np.array([numbers[name] for name in names])
        sides = ["bottom center" if name == [*sizes][1] else "top center" for name in names]
        texts = [f"{name}, {sizes[name] / 1e6:,.1f} MB: {title} {digits(numbers[name], 3)}" for name in names]
        traces.append(points(
            [sizes[name] / 1e6 for name in names], values, title, "%{customdata}", {"color": LIGHT.ink, "size": 10},
            text=names, mode="markers+text", textposition=sides, cliponaxis=False, customdata=texts,
            yaxis=f"y{number}",
        ))  # fmt: skip
        high = 1 - (number - 1) / len(drawn)
        axes[number] = log_axis(f"{title} (log scale)", values).drawn | {"domain": [high - 0.8 / len(drawn), high]}
    figure = layout(traces, x.drawn, axes[1], 200 + 120 * len(drawn))
    if 2 in axes:
        figure.update_layout(yaxis2=axes[2] | {"anchor": "x"}, xaxis={"anchor": "y2"})
    table = pd.DataFrame({"MB": sizes, **series}, [*sizes]).assign(MB=lambda rows: rows.MB / 1e6)
    what = " and ".join(drawn)
    return Chart("forms", f"Bytes against {what}", figure, study_lines.on_zeros(sizes, perplexities), table)
