"""Chapters 1 to 4: the effect of noise after one layer, its drift, its gain after a guess, and dilution."""

from collections.abc import Sequence
from dataclasses import replace

from core.base import changed, digits, per_cent, times
from core.show.figures import axes
from core.show.lessons import absorption, damage, guesses
from core.show.lessons import shared as lessons
from core.show.words import gain_sentences
from core.store import Profile, Store
from pages.ui import current_profile, tour
from pages.ui.live import overview
from pages.ui.live.figure import Control, Figure, Key, Line, Slot, fixed, pick, written

PROPORTION = (
    "Noise of size {} changes {} of the predictions after a typical layer. How many does noise of size {} change?"
)
WHERE = {"after_first": "noise, first token spared", "all": "noise, first token included"}


def _in_view(lesson: lessons.Lesson, profile: Profile) -> tuple[int, Control, tour.Link]:
    """The layer, the noise slider, and a link to the same on Model."""
    noise = tour.slider("noise", "Noise size, relative to the stream", lesson.strengths, lesson.at, "{:g}".format)
    layer, names = current_profile.layer(profile), list(lessons.noise(profile).values())
    about = {"perturbation": names[noise.index], "layer": layer, "positions": "after_first"}
    return layer, noise, tour.link("absorption", "See every layer and size on Model", profile, **about)


def perturb(profile: Profile) -> tour.Screen:
    """Share of changed predictions over the layer where noise enters, under a noise slider."""
    lesson = damage.perturb(profile)
    layer, noise, link = _in_view(lesson, profile)
    figure = tour.bars(
        lesson,
        layer,
        noise,
        "Noise after layer",
        "noise after layer {layer}",
        "noise after another layer",
        name="perturb",
        title="Share of next-token predictions that change, by the layer where noise enters",
        says="Noise of size [{size}](control-noise) after layer [{layer}](layer-{layer}) changes "
        "[{flips}](layer-{layer}) of the next-token predictions.",
        slots={"size": Slot(noise.stops), "flips": written(lambda share: per_cent(share, 1), lesson.values)},
        y=axes.linear_axis("predictions changed", 0, 1.04 * lesson.values.max(), per_cent),
        x="layer where the noise enters",
        lead=(
            f"A language model is a stack of {lessons.ref(profile.layers, lessons.LAYERS)} layers. Each reads a "
            "shared **stream** of numbers and adds to it. **Perturbing** means adding noise after one layer, then "
            "letting the model continue. **Try:** click a layer, then "
            + ("drag the noise size." if len(lesson.strengths) > 1 else "click another one to compare.")
        ),
    )
    return tour.Screen(figure, [link], guesses.in_proportion(PROPORTION, lesson, "{:g}".format, per_cent))


def drift(profile: Profile) -> tour.Screen:
    """Drift curves of all injection layers, one picked, under a noise slider.

    Each is a multiple of where it starts: so all sizes share an axis.
    """
    lesson = damage.drift(profile)
    layer, noise, link = _in_view(lesson, profile)
    start, end = lesson.values.diagonal(axis1=1, axis2=2), lesson.values[:, :, -1]
    remaining = lesson.values / start[:, :, None]
    figure = Figure(
        name="drift",
        title="Drift remaining after each layer",
        finding=lesson.sentence,
        says="Noise of size [{size}](control-noise) after layer [{layer}](curve-start): the drift starts at "
        "[{start}](curve-start) and ends at [{end}](curve-end). It [{fate}](curve-end).",
        slots={
            "size": Slot(noise.stops),
            "start": written(digits, start),
            "end": written(digits, end),
            "fate": written(changed, end / start),
            "left": written(times, end / start),  # in the unit of the axis
        },
        y=axes.ratio_axis("drift, as a multiple of where it starts (log scale)", remaining),
        controls=[noise],
        pick=pick("Noise after layer", end.shape[1], layer),
        lines=[Line(remaining, "accent", bundle=True, mark="curve", ends=("", "left"))],
        key=[Key("accent", "noise after layer {layer}", "line"), Key("faint", "noise after another layer", "line")],
        foot=1.0,
        x="layer after which the drift is read",
        lead=(
            "Run the model twice: once normally, once with noise. After each layer, take the distance between the two "
            "streams and divide it by the length of the normal one. That is the **drift**. **Try:** click another layer"
            + ("; then drag the noise size." if len(lesson.strengths) > 1 else " and watch where its curve ends.")
        ),
        notes=[Slot(lesson.notes)],
    )
    return tour.Screen(figure, [link], guesses.shrinking(remaining[lesson.at]))


def amplify(profile: Profile) -> tour.Screen:
    """Gains without the first token; with it after the guess: a bar from 1×, upward where a layer amplifies."""
    lesson, layer = absorption.amplify(profile), current_profile.layer(profile)
    is_guessed = tour.guessed("amplify") is not None
    what = [tour.control("noise-at", "What is done", WHERE, "all", kind="choice")] * is_guessed
    where = what[0].values[what[0].index] if what else "after_first"
    noise = {"perturbation": lessons.noise(profile)[lesson.size], "positions": where}
    link = tour.link("absorption", "See verdicts for every size on Model", profile, layer=layer, **noise)
    visible = [lesson.without, lesson.including][: 1 + is_guessed]
    bars = overview.gain_bars(visible, "gain (log scale)", layer)
    figure = replace(
        bars,
        name="amplify",
        finding=lessons.plain(lesson.sentence) if is_guessed else gain_sentences.finding(lesson.without),
        says=f"Noise of size [{lesson.size:g}](layers), {{done}}: after layer [{{layer}}](layer-{{layer}}), the gain "
        "is [{gain}](layer-{layer}); {verdict}.",
        slots=bars.slots | {"done": Slot(["first token spared", "on every token"][: len(visible)])},
        controls=what,
        key=[*overview.VERDICTS[:2], Key("undecided", "undecided: within 5 % of 1×, or uncertain")],
        height=220,
        lead=(
            "**Gain** = drift at the last layer ÷ drift where the damage started. Above [1×](foot) the rest of the "
            "network **amplifies** it, below [1×](foot) it **absorbs** it. **Try:** "
            + ("switch the first token on and off." if is_guessed else "make a guess, then see.")
        ),
        notes=[*map(fixed, [lesson.sentence, lesson.why] * is_guessed)],
    )
    return tour.Screen(figure, [link], guesses.first_token(lesson.change))


def absorb(profile: Profile) -> tour.Screen:
    """Lengths of damage and stream after noise; beside them, the same of the untrained twin."""
    layer, growth = current_profile.layer(profile), absorption.absorb(profile)
    pair = [current_profile.load(entry.key) for entry in lessons.twins(Store(), profile) or ()]
    view = {"perturbation": lessons.default_noise(lessons.noise(profile)), "positions": "after_first"}
    link = tour.link("absorption", "See dilution on Model", profile, layer=layer, **view)
    notes = [growth.sentence, *([_compared(*pair)] if pair else [])]
    return tour.Screen(_lengths(growth, layer, notes), [link], guesses.length(growth.grown, growth.around))


def _compared(trained: Profile, twin: Profile) -> str:
    """Sentences on the trained model beside its untrained twin, and on the text of both."""
    text = trained.spec.text
    amount = lessons.ref(f"{text.sequences} × {text.length} tokens", lessons.LAYERS)
    return f"{absorption.learned(trained, twin)} Both ran on {trained.provenance.get('text', 'one text')}, {amount}."


def _lengths(drawn: absorption.Growth, layer: int, notes: Sequence[str]) -> Figure:
    """Two lengths over the layers, whose distance is the drift."""
    return Figure(
        name="absorb",
        title="Length of the damage and of the stream",
        finding=drawn.sentence,
        says="After layer [{layer}](damage-start) the damage [{grown}](damage-end) and the stream "
        "[{around}](stream-end), so drift [{fate}](damage-end stream-end). If the damage had stayed constant, drift "
        "would fall to [{frozen}](constant-end).",
        slots={
            "grown": written(changed, [drawn.grown]),
            "around": written(changed, [drawn.around]),
            "fate": written(changed, [drawn.gain]),
            "frozen": written(times, [1 / drawn.around]),
        },
        y=axes.log_axis("length of the vectors (log scale)", drawn.stream, drawn.damage),
        height=220,
        pick=pick("Damage at layer", len(drawn.stream), layer),
        lines=[
            Line([drawn.stream], "ink", mark="stream"),
            Line([drawn.damage], "accent", mark="damage"),
            Line([drawn.constant], "guide", dash=True, mark="constant"),
        ],
        key=[
            Key("ink", "the stream", "line"),
            Key("accent", "damage after layer {layer}", "line"),
            Key("guide", "constant damage", "dash"),
        ],
        lead=(
            "Falling drift looks as if the network had repaired, or **absorbed**, the damage. But drift is relative "
            "to the stream. Where the stream outgrows the damage, the fall is **dilution**, not repair. "
            "**Try:** compare the slopes at several layers."
        ),
        notes=[*map(fixed, notes)],
    )
