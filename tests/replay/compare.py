"""Two sets of figures -> what differs between them. Knows nothing of the product that they are of."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ABSENT = "absent"
MANY = 12  # numbers; a longer figure is told by its first difference
Figures = Mapping[str, Any]  # `kind/name` -> number, word, or lists and dictionaries of them


@dataclass(frozen=True)
class Difference:
    """A figure that is not the same on both sides."""

    name: str
    before: str
    after: str
    note: str = ""

    @property
    def kind(self) -> str:
        return kind_of(self.name)

    def __str__(self) -> str:
        return f"  {self.name}: {self.before} -> {self.after}{f'  ({self.note})' if self.note else ''}"


def differences(before: Figures, after: Figures) -> list[Difference]:
    """Every figure that one side lacks or that is not equal on both, in the order of the side after."""
    names = [*after, *(name for name in before if name not in after)]
    return [_difference(name, before, after) for name in names if not _same(name, before, after)]


def report(before: Figures, after: Figures) -> tuple[str, bool]:
    """What to print, and whether all figures are equal."""
    found = differences(before, after)
    if not found:
        kinds = Counter(map(kind_of, after))
        return f"equal: {_count(after)} of {len(kinds)} kinds ({_each(kinds)})", True
    lines: list[str] = []
    by_kind = Counter(each.kind for each in found)
    for kind in by_kind:
        lines += [f"{kind}:", *(str(each) for each in found if each.kind == kind)]
    totals = Counter(map(kind_of, {**before, **after}))
    share = ", ".join(f"{count} of {totals[kind]} {kind}" for kind, count in by_kind.items())
    return "\n".join([*lines, f"different: {share}; {len(before)} figures before, {len(after)} after"]), False


def equal(a: Any, b: Any) -> bool:
    """Equal to the last bit; NaN equals NaN and nothing else, and a truth value is no number."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a):
        return math.isnan(b)
    return a == b


def kind_of(name: str) -> str:
    """`profile/8f0f/gains` -> `profile`."""
    return name.partition("/")[0]


def _same(name: str, before: Figures, after: Figures) -> bool:
    return name in before and name in after and equal(before[name], after[name])


def _difference(name: str, before: Figures, after: Figures) -> Difference:
    if name not in before or name not in after:
        said = [_shown(each[name]) if name in each else ABSENT for each in (before, after)]
        return Difference(name, *said)
    old, new = dict(_leaves(before[name])), dict(_leaves(after[name]))
    apart = [place for place in {**old, **new} if not equal(old.get(place, ABSENT), new.get(place, ABSENT))]
    first = apart[0]
    note = f"{len(apart)} of {len(new)} differ{_furthest(old, new, apart)}" if len(apart) > 1 else ""
    return Difference(name + first, str(old.get(first, ABSENT)), str(new.get(first, ABSENT)), note)


def _leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """`{"a": [1, 2]}` -> `("[a][0]", 1)`, `("[a][1]", 2)`."""
    if not isinstance(value, dict | list) or not value:
        yield place, value
        return
    for key, each in value.items() if isinstance(value, dict) else enumerate(value):
        yield from _leaves(each, f"{place}[{key}]")


def _furthest(old: dict[str, Any], new: dict[str, Any], apart: list[str]) -> str:
    """By how much the numbers differ at most, relative to the one before."""
    pairs = [(old.get(place), new.get(place)) for place in apart]
    shares = [abs(b - a) / abs(a) for a, b in pairs if _number(a) and _number(b) and a]
    return f", by up to {max(shares):.3g} of the number before" if shares else ""


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _shown(value: Any) -> str:
    leaves = list(_leaves(value))
    return str(value) if len(leaves) <= MANY else f"{len(leaves)} values, the first {leaves[0][1]}"


def _count(figures: Figures) -> str:
    values = sum(1 for value in figures.values() for _ in _leaves(value))
    return f"{len(figures):,} figures with {values:,} values"


def _each(kinds: Counter) -> str:
    return ", ".join(f"{kind} {count:,}" for kind, count in kinds.items())
