"""Chapters 3 and 4: what turns absorbing into amplifying, after a guess; and why drift falls, beside the twin."""

import numpy as np

from core.base.formats import changed, gain, times
from core.show.figures import axes
from core.show.lessons import absorption, shared
from core.show.words import findings
from core.store.cache import Store
from core.store.profiles import Profile
from pages.ui import subject, view
from pages.ui.live import figure
from pages.ui.tour import parts

GUESS = (
    "**Guess.** Here the noise spared the first token of every sequence. Now add it on that one token too. What "
    "happens to the gain of a typical layer?"
)
WHERE = {"after_first": "noise, first token spared", "all": "noise, first token included"}


def amplify(profile: Profile) -> parts.Screen:
    """Gains without the first token; with it after the guess."""
    found = absorption.amplify(profile)
    guess = view.sync("sink", [None, *absorption.GUESSES], None)
    layer = subject.layer(profile)
    what = parts.control("noise-at", "What is done", WHERE, "all", kind="choice") if guess else None
    where = what.values[what.index] if what else "after_first"
    noise = {"perturbation": shared.noise(profile)[found.size], "positions": where}
    link = parts.link("absorption.py", "See verdicts for every size on Absorption", profile, layer=layer, **noise)
    changes = {text: {"sink": key, "layer": found.most, "noise-at": "all"} for key, text in absorption.GUESSES.items()}
    return parts.Screen(_gains(found, layer, what, guess), [link], guesses={} if guess else changes)


def _gains(found: absorption.Sink, layer: int, what: figure.Control | None, guess: str | None) -> figure.Figure:
    """A bar per layer from 1×, upward where it amplifies."""
    shown = [found.without, found.including] if guess else [found.without]
    values = np.stack([each.value for each in shown])
    notes = [absorption.judged(guess, found), found.said, found.why] if guess else []
    return figure.Figure(
        name="amplify",
        title="Gain of each layer",
        finding=shared.plain(found.said) if guess else findings.finding(found.without),
        says=f"Noise of size [{found.size:g}](layers), {{done}}: after layer [{{layer}}](layer-{{layer}}), the gain is "
        "[{gain}](layer-{layer}); {verdict}.",
        slots={
            "done": figure.Slot("frame", ["first token spared", "on every token"][: len(shown)]),
            "gain": figure.written(gain, values),
            "verdict": figure.Slot("both", [figure.fates(each.verdicts) for each in shown]),
        },
        y=axes.ratio_axis("gain (log scale)", values),
        controls=[what] if what else [],
        height=220,
        pick=figure.pick("Layer", values.shape[1], layer),
        bars=figure.Bars(values, [figure.tones(each.verdicts) for each in shown]),
        key=[*figure.DECIDED, figure.Key("undecided", "block", "undecided: within 5 % of 1×, or uncertain")],
        foot=1.0,
        x="layer where the damage starts",
        lead=parts.opening(
            "**Gain** = drift at the last layer ÷ drift where the damage started. Above [1×](foot) the rest of the "
            "network **amplifies** it, below [1×](foot) it **absorbs** it.",
            "switch the first token on and off." if guess else "make a guess, then see.",
        ),
        notes=[figure.fixed(each) for each in notes],
    )


def absorb(profile: Profile) -> parts.Screen:
    """Lengths of the damage and of the stream; below, what an untrained twin shows."""
    found, layer, names = absorption.absorb(profile), subject.layer(profile), shared.noise(profile)
    pair = [subject.load(entry.key) for entry in absorption.twins(Store(), profile) or ()]
    choices = {"perturbation": list(names.values())[shared.usual(names)], "positions": "after_first"}
    keys = [each.entry.key for each in pair]
    if profile.entry.key in keys:
        choices["compare"] = keys[1 - keys.index(profile.entry.key)]
    label = "See dilution on Absorption" + (", beside the twin" if "compare" in choices else "")
    link = parts.link("absorption.py", label, profile, layer=layer, **choices)
    return parts.Screen(_lengths(found, layer, _compared(*pair) if pair else ""), [link])


def _compared(trained: Profile, twin: Profile) -> str:
    """What training has to do with it, and what both read."""
    text = trained.spec.text
    amount = shared.ref(f"{text.sequences} × {text.length} tokens", shared.EVERY)
    return f"{absorption.learned(trained, twin)} Both ran on {trained.provenance.get('text', 'one text')}, {amount}."


def _lengths(found: absorption.Growth, layer: int, compared: str) -> figure.Figure:
    """Two lengths over the layers; their distance is the drift."""
    constant = np.where(np.isfinite(found.damage), np.diagonal(found.damage)[:, None], np.nan)
    return figure.Figure(
        name="absorb",
        title="Length of the damage and of the stream",
        finding=found.said,
        says="After layer [{layer}](damage-start) the damage [{grown}](damage-end) and the stream "
        "[{around}](stream-end), so drift [{fate}](damage-end stream-end). If the damage had stayed constant, drift "
        "would fall to [{frozen}](constant-end).",
        slots={
            "grown": figure.Slot("layer", list(map(changed, found.grown))),
            "around": figure.Slot("layer", list(map(changed, found.around))),
            "fate": figure.Slot("layer", list(map(changed, found.gain))),
            "frozen": figure.Slot("layer", list(map(times, 1 / found.around))),
        },
        y=axes.log_axis("length of the vectors (log scale)", found.stream, found.damage),
        height=220,
        pick=figure.pick("Noise after layer", len(found.stream), layer),
        lines=[
            figure.Line(found.stream[None], "ink", mark="stream"),
            figure.Line(found.damage[None], "accent", mark="damage"),
            figure.Line(constant[None], "guide", dash=True, mark="constant"),
        ],
        key=[
            figure.Key("ink", "line", "the stream"),
            figure.Key("accent", "line", "damage after layer {layer}"),
            figure.Key("guide", "dash", "constant damage"),
        ],
        lead=parts.opening(
            "Falling drift looks as if the network had repaired, or **absorbed**, the damage. But drift is relative "
            "to the stream. Where the stream outgrows the damage, the fall is **dilution**, not repair.",
            "compare the slopes at several layers.",
        ),
        notes=[figure.fixed(found.said), figure.fixed(compared)],
    )
