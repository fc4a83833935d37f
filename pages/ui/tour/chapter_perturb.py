"""Chapter 1: add noise after one layer, and some predictions change."""

from __future__ import annotations

from core.show import lessons
from core.show.figures import scales
from core.show.figures.labels import percent
from core.store.profiles import Profile
from pages.ui import subject
from pages.ui.live import figure
from pages.ui.tour import parts


def draw(profile: Profile, found: lessons.Noise) -> None:
    """Share of changed predictions over the layer where noise enters, under a noise slider."""
    layer, noise = subject.layer(profile), parts.noise(found.sizes)
    with parts.screen(picture(found, layer, noise)):
        parts.real_noise(profile, found.sizes, noise.index, layer)
    columns = parts.measured(found.sizes, found.flips, "size {:g}".format)
    parts.numbers(columns, "share of changed predictions", profile, "perturb")


def picture(found: lessons.Noise, layer: int, noise: figure.Control) -> figure.Figure:
    """A bar per layer."""
    return figure.Figure(
        name="perturb",
        title="Share of next-token predictions that change, by the layer where noise enters",
        finding=found.said,
        says="Noise of size [{size}](control-noise) after layer [{layer}](layer-{layer}) changes "
        "[{flips}](layer-{layer}) of the next-token predictions ({origin}).",
        slots={
            "size": figure.Slot("frame", noise.stops),
            "flips": figure.written(lambda share: percent(share, 1), found.flips),
            "origin": parts.origin(found.sizes),
        },
        y=scales.linear_axis("predictions changed", 0, float(found.flips.max()) * 1.04, percent),
        controls=[noise],
        pick=figure.pick("Noise after layer", found.flips.shape[1], layer),
        bars=figure.Bars(found.flips),
        key=parts.bars_of("noise after layer {layer}", "noise after another layer"),
        foot=0.0,
        x="layer where the noise enters",
        lead=_lead(found),
        notes=[figure.Slot("frame", found.notes), figure.fixed(found.faint)],
    )


def _lead(found: lessons.Noise) -> str:
    several = len(found.sizes.measured) > 1
    return parts.opening(
        f"A language model is a stack of {lessons.ref(found.flips.shape[1], lessons.EVERY)} layers. Each reads a "
        "shared **stream** of numbers and adds to it. **Perturbing** means adding noise after one layer, then letting "
        "the model continue.",
        "click a layer, then " + ("drag the noise size." if several else "click another one to compare."),
    )
