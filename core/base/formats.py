"""Numbers, names and warnings as sentences write them."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from core.base.profile_names import UNTRAINED

# A name, which does something at once; what else begins so says which thing does.
NAMED = re.compile(
    r"(?!(?:an?|the|this|these|that|there|its?|no|nothing|every|what)\b)[a-z'-]+ "
    r"(?:(?:\w+s|cannot|and|row|line|in|at layer|even)\b|\()"
)
TEXTS = {"demo": "demo text", "demo:evaluation": "demo text, evaluation half"}


def digits(value: float, count: int = 2) -> str:
    """A number with `count` significant digits, and no exponent where it can be avoided."""
    if not math.isfinite(value):
        return "not known"
    rounded = float(f"{value:.{count - 1}e}")
    decimals = max(0, count - 1 - math.floor(math.log10(abs(rounded)))) if rounded else 0
    return f"{rounded:,.{decimals}f}" if decimals <= 5 else f"{rounded:.{count - 1}e}"


OUTDATED = "Pruned by an earlier version of a pruner: measured again, these numbers would change a little."
GUESSING = 100_000  # perplexity above which a model does no more than guess


def perplexity(value: float) -> str:
    """`30.8`, `1,230`, `above 100,000`."""
    return f"above {GUESSING:,}" if value > GUESSING else digits(value, 3)


def several(count: int, what: str) -> str:
    """`1 setting`, `2 settings`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def capital(text: str) -> str:
    """The text with its first letter as a capital."""
    return text[:1].upper() + text[1:]


def sentence(message: object) -> str:
    """The message of an error as a sentence: a capital, unless a name begins it, and a full stop if it has no end."""
    text = str(message).strip()
    text = capital(text) if re.match(r"[a-z'-]+(?=[\s,]|: |$)", text) and not NAMED.match(text) else text
    return text if text.endswith((".", "?", "!", "…")) else f"{text}."


def listed(names: Iterable[str], word: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`; empty without names."""
    *others, last = [*names] or [""]
    return f"{', '.join(others)} {word} {last}" if others else last


def unique(items: Iterable[Any]) -> list[Any]:
    """Each item once, in the order of first appearance."""
    return list(dict.fromkeys(items))


def distinct(names: Iterable[Sequence[str]]) -> list[str]:
    """A name for each of several things: the first of its forms that no other thing has, or else its last.

    Args:
        names: possible names of each, from the shortest to the most complete.
    """
    candidates = list(names)
    counts = Counter(form for each in candidates for form in set(each))
    return [next((form for form in each if counts[form] == 1), each[-1]) for each in candidates]


def either(names: Iterable[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    return listed(names, "or")


def per_cent(fraction: float, decimals: int | None = None) -> str:
    """`60 %`, `62.5 %`, `1,250 %`: three significant digits, or the given number of decimals."""
    value = 100 * fraction
    return f"{value:.3g} %" if decimals is None and abs(value) < 999.5 else f"{value:,.{decimals or 0}f} %"


def times(factor: float) -> str:
    """A ratio with two digits: `0.57×`, `3.1×`, `120×`."""
    return f"{digits(factor)}×" if math.isfinite(factor) else digits(factor)


def gain(value: float) -> str:
    """A gain, near 1 with two decimals, so that the 5% band shows: `0.57×`, `1.07×`, `12×`."""
    return f"{ratio(value)}×" if math.isfinite(value) else digits(value)


def ratio(value: float) -> str:
    """A gain without its sign, for the ends of an interval."""
    return f"{value:.2f}" if 0.1 <= value < 10 else digits(value)


def changed(factor: float) -> str:
    """A ratio as a verb: `grows 3.1×`, `shrinks to 0.57×`; `stays as large` where two digits show no change."""
    if times(factor) == times(1):
        return "stays as large"
    return f"grows {times(factor)}" if factor >= 1 else f"shrinks to {times(factor)}"


def model_name(typed: str) -> str:
    """Display name of a model: the last part of a folder or file, the demo's own name."""
    base = typed.removeprefix("random:")
    lies = Path(base).is_absolute() or base.endswith(".gguf") or base.count("/") > 1  # a Hub id has one at most
    name = "SmolLM2-135M-Instruct" if base == "demo" else Path(base).name if lies else base
    return name + UNTRAINED * (base != typed)


def text_name(source: str) -> str:
    """Display name of a text: of a file its name."""
    if source in TEXTS:
        return TEXTS[source]
    return Path(source.removeprefix("file:")).name if ":" in source else source


def pruning_troubles(warnings: Sequence[str], stopped: Sequence[str] = ()) -> str | None:
    """Troubles while pruning, and what stopped it, in sentences; None where all went well.

    Args:
        stopped: warnings that ended pruning; empty where it finished.
    """
    mild = [each for each in warnings if each not in stopped]
    more = f" ({len(mild) - 1} more like it)" if len(mild) > 1 else ""
    sentences = [f"Pruning had to be helped along: {mild[0]}{more}."] if mild else []
    return " ".join([*sentences, *(f"Pruning broke the model: {each}." for each in stopped)]) or None


def runs(numbers: Iterable[int]) -> list[list[int]]:
    """`[0, 1, 2, 5]` -> `[[0, 1, 2], [5]]`."""
    groups = groupby(enumerate(numbers), lambda each: each[1] - each[0])
    return [[number for _, number in group] for _, group in groups]


def ranges(numbers: Iterable[int]) -> str:
    """`[0, 1, 2, 5]` -> `0 to 2 and 5`."""
    parts = []
    for run in runs(numbers):
        parts += [f"{run[0]} to {run[-1]}"] if len(run) > 2 else map(str, run)
    return listed(parts)


def megabytes(size: float, rounded: Callable[[float], float] = round) -> str:
    """`104.4 MB`, of bytes."""
    return f"{rounded(size / 1e5) / 10:,.1f} MB" if math.isfinite(size) else "so much"


def duration(seconds: float) -> str:
    """`40 s`, `110 s`, `3 min`, `2.5 h`."""
    if seconds < 119.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


# --- escape untrusted text, so that nothing in it formats, links, loads or steers ------------------------------------

COLOURS = "red|orange|yellow|green|blue|violet|gr[ae]y|rainbow|primary|small|badge|material"  # of :red[x]
SIGNS = re.compile(
    rf"[\\`*<~$]|\](?=[(:\[])|(?<![^\W_])_|_(?![^\W_])|:[\w+-]+:(?![A-Za-z0-9])|:(?=(?:{COLOURS})\b|[\w-]+[\[{{])|&(?=[#\w])"
    r"|^[-+>#]|^\d+[.)](?=\s|$)"
)
JOINER = "\u2060"  # takes no room and breaks no line
# Streamlit reads addresses, icons and arrows in plain text too, where no backslash helps: a joiner goes in between.
AUTOLINKS = re.compile(
    r"(?<=:)(?=//|material/|streamlit:)|(?<=www)(?=\.)|(?<=@)(?=\S*\.)|(?<=[-<])(?=[->](?:\s|$))", re.IGNORECASE
)
# Control characters but for line breaks and tabs, marks that turn the direction of writing, and lone surrogates.
INVISIBLE = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def escape_markdown(words: object) -> str:
    """Escape text for a place that reads Markdown: it appears as it is, in one line."""
    line = AUTOLINKS.sub(JOINER, " ".join(legible(words).split()))
    return SIGNS.sub(lambda sign: re.sub(r"[^\w\s]|_", r"\\\g<0>", sign[0]), line)


def legible(words: object) -> str:
    """Escape text for a place that reads no markup: invisible characters appear by their number."""
    return INVISIBLE.sub(lambda sign: f"<U+{ord(sign[0]):04X}>", str(words))
