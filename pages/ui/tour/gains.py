"""Chapters 3 and 4: what turns absorbing into amplifying, after a guess; and why drift falls, beside the twin."""

from collections.abc import Mapping, Sequence

import numpy as np

from core.base import changed, gain, times
from core.kinds import BLOCKS
from core.show.figures import axes
from core.show.figures.charts import PARTS
from core.show.lessons import absorption, shared
from core.show.words import findings, literature
from core.store import Profile, Store
from pages.ui import subject, view
from pages.ui.live.figure import DECIDED, Bars, Control, Figure, Key, Line, Slot, fates, fixed, pick, tones, written
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


def _gains(found: absorption.Sink, layer: int, what: Control | None, guess: str | None) -> Figure:
    """A bar per layer from 1×, upward where it amplifies."""
    shown = [found.without, found.including] if guess else [found.without]
    values = np.stack([each.value for each in shown])
    notes = [absorption.judged(guess, found), found.said, found.why] if guess else []
    return Figure(
        name="amplify",
        title="Gain of each layer",
        finding=shared.plain(found.said) if guess else findings.finding(found.without),
        says=f"Noise of size [{found.size:g}](layers), {{done}}: after layer [{{layer}}](layer-{{layer}}), the gain is "
        "[{gain}](layer-{layer}); {verdict}.",
        slots={
            "done": Slot("frame", ["first token spared", "on every token"][: len(shown)]),
            "gain": written(gain, values),
            "verdict": Slot("both", [fates(each.verdicts) for each in shown]),
        },
        y=axes.ratio_axis("gain (log scale)", values),
        controls=[what] if what else [],
        height=220,
        pick=pick("Layer", values.shape[1], layer),
        bars=Bars(values, [tones(each.verdicts) for each in shown]),
        key=[*DECIDED, Key("undecided", "block", "undecided: within 5 % of 1×, or uncertain")],
        foot=1.0,
        x="layer where the damage starts",
        lead=(
            "**Gain** = drift at the last layer ÷ drift where the damage started. Above [1×](foot) the rest of the "
            "network **amplifies** it, below [1×](foot) it **absorbs** it. **Try:** "
            + ("switch the first token on and off." if guess else "make a guess, then see.")
        ),
        notes=[fixed(each) for each in notes],
    )


def absorb(profile: Profile) -> parts.Screen:
    """Lengths of damage and stream, for noise and, where that was measured, a part left out; below, the twin's."""
    layer, names = subject.layer(profile), shared.noise(profile)
    pair = [subject.load(entry.key) for entry in absorption.twins(Store(), profile) or ()]
    choices = {"perturbation": list(names.values())[shared.usual(names)], "positions": "after_first"}
    keys = [each.entry.key for each in pair]
    if profile.entry.key in keys:
        choices["compare"] = keys[1 - keys.index(profile.entry.key)]
    label = "See dilution on Absorption" + (", beside the twin" if "compare" in choices else "")
    links = [parts.link("absorption.py", label, profile, layer=layer, **choices)]
    found, said = {"noise": absorption.absorb(profile)}, [_compared(*pair) if pair else ""]
    entry = absorption.with_parts(Store(), profile)
    if entry:
        other = subject.load(entry.key)
        for name in (f"skip:{part}" for part in BLOCKS):
            found[f"{other.perturbations[name].short} left out"] = absorption.absorb(other, name)
        said.insert(0, f"**Which part absorbs?** {literature.parts(other)}")
        links.append(parts.link("absorption.py", "See attention, MLP and heads", other, layer=layer, group=PARTS))
    return parts.Screen(_lengths(found, layer, said), links)


def _compared(trained: Profile, twin: Profile) -> str:
    """What training has to do with it, and what both read."""
    text = trained.spec.text
    amount = shared.ref(f"{text.sequences} × {text.length} tokens", shared.EVERY)
    return f"{absorption.learned(trained, twin)} Both ran on {trained.provenance.get('text', 'one text')}, {amount}."


def _lengths(found: Mapping[str, absorption.Growth], layer: int, said: Sequence[str]) -> Figure:
    """Two lengths over the layers, for each way of hurting one; their distance is the drift."""
    damage, stream, grown, around, fate = (
        np.stack([getattr(each, name) for each in found.values()])
        for name in ("damage", "stream", "grown", "around", "gain")
    )
    start = np.diagonal(damage, axis1=1, axis2=2)[..., None]
    constant = np.where(np.isfinite(damage), start, np.nan)
    ways = {name: name for name in found}
    return Figure(
        name="absorb",
        title="Length of the damage and of the stream",
        finding=found["noise"].said,
        says="After layer [{layer}](damage-start) the damage [{grown}](damage-end) and the stream "
        "[{around}](stream-end), so drift [{fate}](damage-end stream-end). If the damage had stayed constant, drift "
        "would fall to [{frozen}](constant-end).",
        slots={
            "grown": written(changed, grown),
            "around": written(changed, around),
            "fate": written(changed, fate),
            "frozen": written(times, 1 / around),
        },
        y=axes.log_axis("length of the vectors (log scale)", stream, damage),
        controls=[parts.control("damage", "What is done", ways, "noise", kind="choice")] if len(ways) > 1 else [],
        height=220,
        pick=pick("Damage at layer", stream.shape[1], layer),
        lines=[
            Line(stream, "ink", mark="stream"),
            Line(damage, "accent", mark="damage"),
            Line(constant, "guide", dash=True, mark="constant"),
        ],
        key=[
            Key("ink", "line", "the stream"),
            Key("accent", "line", "damage after layer {layer}"),
            Key("guide", "dash", "constant damage"),
        ],
        lead=(
            "Falling drift looks as if the network had repaired, or **absorbed**, the damage. But drift is relative "
            "to the stream. Where the stream outgrows the damage, the fall is **dilution**, not repair. "
            "**Try:** compare the slopes at several layers" + (", and for a part left out." if len(ways) > 1 else ".")
        ),
        notes=[Slot("frame", [each.said for each in found.values()]), *map(fixed, said)],
    )
