"""Chapter 2: the disturbance on its way through the layers behind it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core import lessons
from core.figures.labels import changed, digits
from core.store.profiles import Profile
from pages.ui import view
from pages.ui.live import tour
from pages.ui.tour import chapter_perturb, parts


def draw(profile: Profile, found: lessons.Spread) -> None:
    """Drift curves of all injection layers, one picked, under a noise slider."""
    layer, step = view.layer(profile), parts.step("noise", found.sizes, lessons.SIZE)
    parts.opening(
        "Run the model twice, once disturbed. At every layer behind the hit, the distance between the two streams, "
        "divided by the length of the undisturbed one, is the **drift**.",
        "drag the noise size and watch the curve; then click another layer."
        if len(found.sizes.measured) > 1
        else "click layers and watch how far the curve climbs or falls.",
    )
    figure, said = parts.beside()
    with figure:
        shown = picture(found, profile.layers, layer, step)
        parts.figure(shown, lambda told: chapter_perturb.moved(told, found.sizes))
    with said:
        parts.lesson(found.said)
        chapter_perturb.for_real(profile, found.sizes, step, layer)
    parts.numbers(table(found), "drift after every layer hit", profile, "drift")


def picture(found: lessons.Spread, layers: int, layer: int, step: int) -> tour.Figure:
    """A curve from every injection layer to the end."""
    start = np.diagonal(found.drift, axis1=1, axis2=2)
    end = found.drift[:, :, -1]
    return tour.Figure(
        name="drift",
        title="Drift on its way through the network",
        layers=layers,
        finding=found.said,
        says="Noise of size {size} behind layer {layer} begins as a drift of {start} and ends as {end}: it {fate} "
        "({origin}).",
        slots={
            "size": tour.Slot("frame", parts.written(found.sizes)),
            "start": tour.Slot("both", _written(start)),
            "end": tour.Slot("both", _written(end)),
            "fate": tour.Slot("both", [[changed(ratio) for ratio in row] for row in end / start]),
            "origin": tour.Slot("frame", parts.origin(found.sizes)),
        },
        y=tour.log_axis("drift, relative to the stream", found.drift),
        controls=[chapter_perturb.noise(found.sizes, step)],
        pick=("Layer hit", layer),
        lines=[tour.Line(found.drift, "accent", bundle=True)],
        key=[
            tour.Key("accent", "line", "hit behind layer {layer}"),
            tour.Key("faint", "line", "hit behind another layer"),
        ],
        x="layer where the drift is read",
    )


def _written(values: np.ndarray) -> list[list[str]]:
    return [[digits(value) for value in row] for row in values]


def table(found: lessons.Spread) -> pd.DataFrame:
    """Every curve at the measured sizes."""
    hit, read = np.triu_indices(found.drift.shape[2])
    columns = {f"size {found.sizes.values[i]:g}": found.drift[i, hit, read] for i in found.sizes.measured}
    return pd.DataFrame({"layer hit": hit, "read layer": read} | columns)
