"""Chapters 1 and 2: noise after one layer changes predictions, and its damage runs through the later layers."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from core.base import changed, digits, per_cent, times
from core.show.figures import axes
from core.show.lessons import damage, shared
from core.store import Profile
from pages.ui import subject
from pages.ui.live.figure import Bars, Control, Figure, Key, Line, Slot, fixed, pick, written
from pages.ui.tour import parts

Found = TypeVar("Found", damage.Noise, damage.Spread)


def _screen(found: Found, draw: Callable[[Found, int, Control], Figure], profile: Profile) -> parts.Screen:
    """A chapter under a noise slider, with a link to the same noise on Absorption."""
    noise = parts.slider("noise", "Noise size, relative to the stream", found.sizes, found.at, "{:g}".format)
    layer, names = subject.layer(profile), list(shared.noise(profile).values())
    about = {"perturbation": names[noise.index], "layer": layer, "positions": "after_first"}
    link = parts.link("absorption.py", "See every layer and size on Absorption", profile, **about)
    return parts.Screen(draw(found, layer, noise), [link])


def perturb(profile: Profile) -> parts.Screen:
    """Share of changed predictions over the layer where noise enters, under a noise slider."""
    return _screen(damage.perturb(profile), _flips, profile)


def _flips(found: damage.Noise, layer: int, noise: Control) -> Figure:
    several = len(found.sizes) > 1
    return Figure(
        name="perturb",
        title="Share of next-token predictions that change, by the layer where noise enters",
        finding=found.said,
        says="Noise of size [{size}](control-noise) after layer [{layer}](layer-{layer}) changes "
        "[{flips}](layer-{layer}) of the next-token predictions.",
        slots={
            "size": Slot("frame", noise.stops),
            "flips": written(lambda share: per_cent(share, 1), found.flips),
        },
        y=axes.linear_axis("predictions changed", 0, float(found.flips.max()) * 1.04, per_cent),
        controls=[noise],
        pick=pick("Noise after layer", found.flips.shape[1], layer),
        bars=Bars(found.flips),
        key=parts.bars_of("noise after layer {layer}", "noise after another layer"),
        foot=0.0,
        x="layer where the noise enters",
        lead=(
            f"A language model is a stack of {shared.ref(found.flips.shape[1], shared.EVERY)} layers. Each reads a "
            "shared **stream** of numbers and adds to it. **Perturbing** means adding noise after one layer, then "
            "letting the model continue. **Try:** click a layer, then "
            + ("drag the noise size." if several else "click another one to compare.")
        ),
        notes=[Slot("frame", found.notes), fixed(found.faint)],
    )


def drift(profile: Profile) -> parts.Screen:
    """Drift curves of all injection layers, one picked, under a noise slider."""
    return _screen(damage.drift(profile), _curves, profile)


def _curves(found: damage.Spread, layer: int, noise: Control) -> Figure:
    """A curve from every injection layer to the end, as a multiple of where it starts: so all sizes share an axis."""
    start, end = np.diagonal(found.drift, axis1=1, axis2=2), found.drift[:, :, -1]
    several = len(found.sizes) > 1
    return Figure(
        name="drift",
        title="Drift remaining after each layer",
        finding=found.said,
        says="Noise of size [{size}](control-noise) after layer [{layer}](curve-start): the drift starts at "
        "[{start}](curve-start) and ends at [{end}](curve-end). It [{fate}](curve-end).",
        slots={
            "size": Slot("frame", noise.stops),
            "start": written(digits, start),
            "end": written(digits, end),
            "fate": written(changed, end / start),
            "left": written(times, end / start),  # in the unit of the axis
        },
        y=axes.ratio_axis("drift, as a multiple of where it starts (log scale)", found.remaining),
        controls=[noise],
        pick=pick("Noise after layer", end.shape[1], layer),
        lines=[Line(found.remaining, "accent", bundle=True, mark="curve", ends=("", "left"))],
        key=[
            Key("accent", "line", "noise after layer {layer}"),
            Key("faint", "line", "noise after another layer"),
        ],
        foot=1.0,
        x="layer after which the drift is read",
        lead=(
            "Run the model twice: once normally, once with noise. After each layer, take the distance between the two "
            "streams and divide it by the length of the normal one. That is the **drift**. **Try:** click another layer"
            + ("; then drag the noise size." if several else " and watch where its curve ends.")
        ),
        notes=[Slot("frame", found.notes)],
    )
