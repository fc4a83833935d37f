"""Chapters 3 and 4: what amplifies, and what of a falling drift is dilution and what is learned."""

from typing import NamedTuple

import numpy as np

from core.base import UserError, digits, frozen, times
from core.plan import Gains, averaged, gains_of, split_log_gain, verdicts_of
from core.show.lessons.shared import (
    DRIVER,
    LAYERS,
    PRUNED,
    at_layer,
    at_layers,
    check_several,
    default_index,
    default_noise,
    noise,
    ref,
)
from core.show.words import gain_sentences
from core.store import Array, Profile

SINK = 5.0  # times the others' length; a token that draws attention to itself stands out by far more


@frozen
class Sink:
    """Gains of the same noise with and without the first token."""

    size: float
    without: Gains
    including: Gains
    flipped: tuple[int, ...]  # layers that absorb without it and amplify with it
    sentence: str  # which those are
    why: str  # what the first token is

    @property
    def change(self) -> float:
        """Factor by which including the first token changes the gain: its median over layers."""
        return float(np.nanmedian((self.including.value / self.without.value)[:-1]))


def amplify(profile: Profile) -> Sink:
    """The noise of usual size at both kinds of positions.

    Raises:
        UserError: no size was measured at both, or the model has one layer.
    """
    check_several(profile)
    apart, everywhere = noise(profile), noise(profile, "all")
    if not (both := [size for size in apart if size in everywhere]):
        raise UserError(
            "no noise size was measured both with and without the first token: measure gaussian:0.3@all too"
        )
    size = both[default_index(both)]
    without, including = (gains_of(profile.seeds(names[size])) for names in (apart, everywhere))
    amplified = gain_sentences.where("amplifies", including.verdicts)
    flipped = [layer for layer in amplified if without.verdicts[layer] == "absorbs"]
    text = _flip_sentence(flipped, amplified, profile.layers)
    return Sink(size, without, including, tuple(flipped), text, _sink_sentence(profile))


def _flip_sentence(flipped: list[int], amplified: list[int], layers: int) -> str:
    """Sentence: the layers that the first token flips, among those that amplify with it."""
    if not flipped:
        return "With the first token included, no layer flips for certain from absorbing to amplifying."
    many, some = (len(each) > 1 for each in (amplified, flipped))
    return (
        f"One token flips the picture. With it, {at_layers(amplified, len(amplified))} of {ref(layers - 1, LAYERS)} "
        f"layers {'amplify' if many else 'amplifies'}; without it, {at_layers(flipped, len(flipped))} of these "
        f"{'absorb' if some else 'absorbs'}: {at_layers(flipped, gain_sentences.named(flipped))}."
    )


def _sink_sentence(profile: Profile) -> str:
    """Sentence: how far the first token stands out where it does so most."""
    stream = profile.activation
    longer = (stream.norm_first / stream.norm).mean(1)
    most = int(longer.argmax())
    role = "an **attention sink**" if longer[most] > SINK else "no attention sink here"
    return (
        f"The first token is {role}: after layer {at_layer(most)}, its vector is "
        f"{at_layer(most, f'{digits(longer[most])}×')} as long as the other tokens' on average."
    )


class Growth(NamedTuple):
    """The damage and the stream around it, in the units of the residual stream."""

    stream: Array  # (layers,) ||h_k||, geometric mean
    damage: Array  # (injection, read) ||h'_k - h_k||, the same; NaN below the diagonal
    gain: Array  # (layers,) of the relative drift
    grown: Array  # (layers,) factor by which the damage grows to the last layer
    around: Array  # (layers,) factor by which the stream does
    sentence: str

    @property
    def constant(self) -> Array:
        """(injection, read) damage as if it stayed as long as it was where it entered."""
        return np.where(np.isfinite(self.damage), self.damage.diagonal()[:, None], np.nan)


def absorb(profile: Profile) -> Growth:
    """Split the falling drift of noise of the default size into damage and dilution.

    Raises:
        UserError: no noise was measured.
    """
    seeds = profile.seeds(default_noise(noise(profile)))
    stream = profile.activation.log_norm
    logs = averaged(seeds, "log_drift") + stream
    split = split_log_gain(seeds, profile.activation)
    grown, around = np.exp(split.absolute.mean(1)), np.exp(split.growth.mean(1))
    gains = gains_of(seeds)
    absorbing = gain_sentences.where("absorbs", gains.verdicts)
    diluted = [each for each in gain_sentences.where("amplifies", verdicts_of(split.absolute)) if each in absorbing]
    undecided = gain_sentences.no_verdict(gains)
    text = f"{undecided}." if undecided else _diluted_sentence(absorbing, diluted, grown, around)
    return Growth(np.exp(stream.mean(1)), np.exp(logs.mean(-1)), grown / around, grown, around, text)


def _diluted_sentence(absorbing: list[int], diluted: list[int], grown: Array, around: Array) -> str:
    """Sentence: the layers that certainly absorb although the damage itself certainly grows."""
    if not absorbing:
        return "In this profile no layer absorbs for certain, so there is no fall to explain by dilution."
    if not diluted:
        return "At no layer that absorbs does the damage itself grow for certain: no fall is shown to be dilution."
    most = max(diluted, key=lambda layer: grown[layer])
    some, count = (at_layers(each, len(each)) for each in (diluted, absorbing))
    every = f"all {count} layers that absorb" if len(absorbing) > 1 else "the one layer that absorbs"
    where = every if len(diluted) == len(absorbing) else f"{some} of the {count} layers that absorb"
    return (
        f"Falling drift can be mere dilution: at {where}, the damage itself grows. After layer {at_layer(most)} it "
        f"grows {at_layer(most, times(grown[most]))} and the stream {at_layer(most, times(around[most]))}."
    )


def learned(trained: Profile, twin: Profile) -> str:
    """Sentences on what training adds: noise and real pruning damage, in the model and in its untrained twin."""
    kinds = [name for name in (DRIVER, PRUNED) if name in trained.by_name and name in twin.by_name]
    if not kinds:
        return f"The model and its twin have neither {DRIVER} nor {PRUNED} in common: measure one on both to compare."
    if gain_sentences.no_verdict(gains_of(trained.seeds(kinds[0]))):  # nor of the twin, which read the same text
        return "An untrained twin shows what training adds, but without verdicts the two cannot be compared."

    def absorbing(name):
        what = "Noise" if name == DRIVER else "Real pruning damage"
        here, there = (gains_of(each.seeds(name)).verdicts.count("absorbs") for each in (trained, twin))
        if not here:
            verdict = "so there is no absorption to explain"
        elif there >= here:
            verdict = "so training does not explain this fall"
        elif there < here / 2:
            verdict = "so the model learned to absorb it"
        else:
            verdict = "so training explains part of it"
        ours, every, theirs = (ref(count, LAYERS) for count in (here, trained.layers - 1, there))
        return (
            f"{what} is absorbed after {ours} of {every} layers in the trained model and after {theirs} in the twin, "
            f"{verdict}."
        )

    return "An untrained twin shows what training adds. " + " ".join(map(absorbing, kinds))
