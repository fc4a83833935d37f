"""Chapter 2: the damage on its way through the later layers."""

from __future__ import annotations

import numpy as np

from core.show import lessons
from core.show.figures import scales
from core.show.figures.labels import changed, digits
from core.store.profiles import Profile
from pages.ui import subject
from pages.ui.live import figure
from pages.ui.tour import parts


def draw(profile: Profile, found: lessons.Spread) -> None:
    """Drift curves of all injection layers, one picked, under a noise slider."""
    layer, noise = subject.layer(profile), parts.noise(found.sizes)
    with parts.screen(picture(found, layer, noise)):
        parts.real_noise(profile, found.sizes, noise.index, layer)
    enters, read = np.triu_indices(profile.layers)
    columns = {f"size {found.sizes.values[step]:g}": found.drift[step, enters, read] for step in found.sizes.measured}
    columns = {"noise after layer": enters, "read layer": read} | columns
    parts.numbers(columns, "drift after every layer", profile, "drift")


def picture(found: lessons.Spread, layer: int, noise: figure.Control) -> figure.Figure:
    """A curve from every injection layer to the end, as a multiple of where it starts: so all sizes share an axis."""
    start = np.diagonal(found.drift, axis1=1, axis2=2)
    end = found.drift[:, :, -1]
    return figure.Figure(
        name="drift",
        title="Drift remaining after each layer",
        finding=found.said,
        says="Noise of size [{size}](control-noise) after layer [{layer}](curve-start): the drift starts at "
        "[{start}](curve-start) and ends at [{end}](curve-end). It [{fate}](curve-end) ({origin}).",
        slots={
            "size": figure.Slot("frame", noise.stops),
            "start": figure.written(digits, start),
            "end": figure.written(digits, end),
            "fate": figure.written(changed, end / start),
            "origin": parts.origin(found.sizes),
        },
        y=scales.ratio_axis("drift, as a multiple of where it starts (log scale)", found.remaining),
        controls=[noise],
        pick=figure.pick("Noise after layer", end.shape[1], layer),
        lines=[figure.Line(found.remaining, "accent", bundle=True, mark="curve", ends=("start", "end"))],
        key=[
            figure.Key("accent", "line", "noise after layer {layer}"),
            figure.Key("faint", "line", "noise after another layer"),
        ],
        foot=1.0,
        x="layer after which the drift is read",
        lead=_lead(len(found.sizes.measured) > 1),
        notes=[figure.Slot("frame", found.notes)],
    )


def _lead(several: bool) -> str:
    return parts.opening(
        "Run the model twice: once normally, once with noise. After each layer, take the distance between the two "
        "streams and divide it by the length of the normal one. That is the **drift**.",
        "click another layer" + ("; then drag the noise size." if several else " and watch where its curve ends."),
    )
