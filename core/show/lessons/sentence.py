"""One sentence in the lab: the damage at every layer against the damage that entered, and sentences on it."""

import math
import unicodedata
from collections.abc import Iterable

import numpy as np

from core.base import digits, frozen, gain, per_cent
from core.plan import BAND
from core.requests import Question
from core.show.lessons.absorption import SINK
from core.store import Array, SceneRow

ROUNDING = 1e-6  # drift that rounding alone brings about: nothing has arrived
LINES = ("space", "line break", "blank line", "blank lines")  # names of tokens without a letter, by their line breaks
CONTEXT = 5  # tokens that are quoted where the next word is asked for


@frozen
class Hit:
    """One layer hit, as the picture draws it."""

    entered: Array  # (tokens,) drift that a token's is compared with: its own where it was hit, else the mean of those
    ratio: Array  # (layers from the one hit on, tokens) drift against it; NaN where nothing has arrived
    mean: Array  # (layers from the one hit on,) geometric, over the tokens after the first that were hit; NaN if none
    sentence: str


def hit(question: Question, row: SceneRow, gains: Iterable[float | None] = (), twin: SceneRow | None = None) -> Hit:
    """Numbers for the picture of one layer.

    Args:
        gains: of all layers, to compare with, where they are known.
        twin: the same layer with the first token damaged too, or without it.
    """
    drift = np.array(row.drift[row.layer :], float)
    drift[drift < ROUNDING] = np.nan
    own = drift[0]
    entered = np.where(np.isfinite(own), own, _geometric(own))
    ratio = drift / entered
    compared = np.isfinite(own) & (np.arange(len(own)) > 0)
    mean = np.array([_geometric(each[compared]) for each in ratio])
    if row.gain is not None:
        mean[-1] = row.gain  # the same, not computed from rounded drift
    return Hit(entered, ratio, mean, story(question, row, entered, gains, twin))


def _geometric(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(np.exp(np.log(finite).mean())) if finite.size else np.nan


def sink(norms: Iterable[Iterable[float]]) -> dict[str, float] | None:
    """The token on which attention rests, how many times `longer` than the median it is at most, and at which layer.

    None if no token is far longer than the others.

    Args:
        norms: (layers, tokens).
    """
    length = np.array(norms, float)
    if length.shape[1] < 2:
        return None
    longer = length / np.median(length, axis=1, keepdims=True)
    layer, token = np.unravel_index(longer.argmax(), longer.shape)
    sink = {"token": int(token), "longer": float(longer[layer, token]), "layer": int(layer)}
    return sink if sink["longer"] > SINK else None


def token_word(token: str, first: bool = False) -> str:
    """A token as a word: a piece that goes on with the word before it begins with a hyphen, a sign's half is dots."""
    token = token.replace("\ufffd", "…") or "…"
    if not any(each.isprintable() and not each.isspace() for each in token):
        return LINES[min(token.count("\n"), 3)]
    goes_on = token[:1].isalnum() and unicodedata.east_asian_width(token[0]) not in "WF"  # which have no spaces
    return token.strip() if first or not goes_on else f"-{token}"


def contexts(tokens: Iterable[str]) -> list[str]:
    """For each token the end of the sentence up to it, as it is written."""
    every = list(tokens)
    ends = ("".join(every[max(0, at - CONTEXT + 1) : at + 1]).strip() for at in range(len(every)))
    return [f"… {end}" if at >= CONTEXT else end for at, end in enumerate(ends)]


# --- what just happened ---------------------------------------------------------------------------------------------


def story(
    question: Question, row: SceneRow, entered: Array, gains: Iterable[float | None], twin: SceneRow | None
) -> str:
    """Sentences on the fate of the damage; their numbers stand between `**`."""
    flips = f"**{sum(row.flipped)} of {len(row.flipped)}** predicted next words change."
    return " ".join(filter(None, [_fate(question, row, entered), flips, _compared(question, row, gains, twin)]))


def _fate(question: Question, row: SceneRow, entered: Array) -> str:
    what, enters = _entry(question, row, entered)
    if row.layer == len(row.drift) - 1:
        return f"No layer follows layer {row.layer}: {what} reaches the output as it is."
    if not np.isfinite(entered).any():
        return "Nothing is damaged: the sentence is its first token alone, which is spared."
    if row.gain is None:
        rest = _geometric(np.array(row.drift[-1], float)[1:])
        ends = f"the others end with a drift of **{digits(rest)}**" if rest == rest else "there are no others"
        return f"Only the first token is damaged, after layer {row.layer}: {ends}."
    ends = f"{enters} ends at **{gain(row.gain)}** its size."
    if abs(math.log(row.gain)) > BAND:
        return f"Later layers **{'absorb' if row.gain < 1 else 'amplify'}** {what}: {ends}"
    return f"Later layers leave {what} **about as large**: {ends}"


def _entry(question: Question, row: SceneRow, entered: Array) -> tuple[str, str]:
    """The perturbation as a thing, and as what it does."""
    perturbation, at = question.perturbation, question.token
    where = "" if at is None else f" at “{token_word(row.tokens[at], first=at == 0)}” alone"
    if perturbation.noise:
        return "the noise", f"it enters{where} after {perturbation.of(row.layer)} and"
    does = perturbation.doing.format(perturbation.of(row.layer), share=perturbation.short)
    return "the damage", f"{does}{where} moves the stream by {per_cent(_geometric(entered))}, and that"


def _compared(question: Question, row: SceneRow, gains: Iterable[float | None], twin: SceneRow | None) -> str:
    """The same layer with or without the first token, or the layer in the middle of all."""
    if row.gain is None:
        return ""
    if twin is not None and twin.gain is not None:
        first = getattr(question.perturbation, "positions", "all") == "all"
        other = "Without the first token" if first else "With the first token damaged too"
        return f"{other}: **{gain(twin.gain)}** and **{sum(twin.flipped)} of {len(twin.flipped)}**."
    finite = [each for each in gains if each is not None]
    return f"The median layer ends at {gain(float(np.median(finite)))}." if len(finite) > 1 else ""
