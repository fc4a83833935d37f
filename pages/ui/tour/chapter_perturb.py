"""Chapter 1: hit one layer, and some predictions change."""

from __future__ import annotations

from core import lessons
from core.store.profiles import Profile
from pages.ui import view
from pages.ui.live import tour
from pages.ui.tour import parts


def draw(profile: Profile, found: lessons.Hit) -> None:
    """Share of changed predictions over the layer hit, under a noise slider."""
    layer, noise = view.layer(profile), parts.noise(found.sizes)
    with parts.screen(
        f"A language model is a stack of layers, here {profile.layers}; each reads a shared **stream** of numbers and "
        "adds to it. To **perturb** is to add noise to the stream behind one layer and to let the rest run on.",
        "click a layer to hit it, then "
        + ("drag the noise size." if len(found.sizes.measured) > 1 else "others to compare."),
        picture(found, layer, noise),
    ):
        parts.lesson(found.said)
        parts.real_noise(profile, found.sizes, noise.index, layer)
    columns = parts.measured(found.sizes, found.flips, "size {:g}".format)
    parts.numbers(columns, "share of changed predictions", profile, "perturb")


def picture(found: lessons.Hit, layer: int, noise: tour.Control) -> tour.Figure:
    """A bar per layer."""
    return tour.Figure(
        name="perturb",
        title="Share of next-token predictions that change, by the layer hit",
        finding=found.said,
        says="Noise of size {size} behind layer {layer} changes {flips} of the next-token predictions ({origin}).",
        slots={
            "size": tour.Slot("frame", noise.stops),
            "flips": tour.written("{:.1%}".format, found.flips),
            "origin": parts.origin(found.sizes),
        },
        y=tour.linear_axis("predictions changed", 0, float(found.flips.max()) * 1.04, "{:.0%}".format),
        controls=[noise],
        pick=tour.Pick("Layer hit", layer),
        bars=tour.Bars(found.flips),
        key=parts.bars_of("the layer you hit", "any other layer, if hit"),
        foot=0.0,
        x="layer that is hit",
    )
