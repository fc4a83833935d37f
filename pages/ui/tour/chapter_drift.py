"""Chapter 2: the disturbance on its way through the layers behind it."""

from __future__ import annotations

import numpy as np

from core import lessons
from core.figures.labels import changed, digits
from core.store.profiles import Profile
from pages.ui import view
from pages.ui.live import tour
from pages.ui.tour import parts


def draw(profile: Profile, found: lessons.Spread) -> None:
    """Drift curves of all injection layers, one picked, under a noise slider."""
    layer, noise = view.layer(profile), parts.noise(found.sizes)
    with parts.screen(
        "Run the model twice, once disturbed. At every layer behind the hit, the distance between the two streams, "
        "divided by the length of the undisturbed one, is the **drift**.",
        "drag the noise size and watch the curve; then click another layer."
        if len(found.sizes.measured) > 1
        else "click layers and watch how far the curve climbs or falls.",
        picture(found, layer, noise),
    ):
        parts.lesson(found.said)
        parts.real_noise(profile, found.sizes, noise.index, layer)
    hit, read = np.triu_indices(profile.layers)
    columns = {f"size {found.sizes.values[step]:g}": found.drift[step, hit, read] for step in found.sizes.measured}
    parts.numbers({"layer hit": hit, "read layer": read} | columns, "drift after every layer hit", profile, "drift")


def picture(found: lessons.Spread, layer: int, noise: tour.Control) -> tour.Figure:
    """A curve from every injection layer to the end."""
    start = np.diagonal(found.drift, axis1=1, axis2=2)
    end = found.drift[:, :, -1]
    return tour.Figure(
        name="drift",
        title="Drift on its way through the network",
        finding=found.said,
        says="Noise of size {size} behind layer {layer} begins as a drift of {start} and ends as {end}: it {fate} "
        "({origin}).",
        slots={
            "size": tour.Slot("frame", noise.stops),
            "start": tour.written(digits, start),
            "end": tour.written(digits, end),
            "fate": tour.written(changed, end / start),
            "origin": parts.origin(found.sizes),
        },
        y=tour.log_axis("drift, relative to the stream", found.drift),
        controls=[noise],
        pick=tour.Pick("Layer hit", layer),
        lines=[tour.Line(found.drift, "accent", bundle=True)],
        key=[
            tour.Key("accent", "line", "hit behind layer {layer}"),
            tour.Key("faint", "line", "hit behind another layer"),
        ],
        x="layer where the drift is read",
    )
