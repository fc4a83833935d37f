"""Two sets of figures -> what differs between them. Knows nothing of the product that they are of."""

import math
from collections import Counter

ABSENT = "absent"


def report(before, after):
    """What to print, and whether all figures of the kinds that both sides have are equal.

    before, after: `kind/name` -> number, word, or lists and dictionaries of them.
    """
    kinds = [set(map(_kind, side)) for side in (before, after)]
    lone = f"; not compared, for one side lacks it: {', '.join(sorted(kinds[0] ^ kinds[1]))}" * (kinds[0] != kinds[1])
    before, after = (
        {name: side[name] for name in side if _kind(name) in kinds[0] & kinds[1]} for side in (before, after)
    )
    totals = Counter(map(_kind, {**before, **after}))
    found = {}
    for name in {**after, **before}:
        if said := difference(name, before, after):
            found.setdefault(_kind(name), []).append(f"  {said}")
    if not found:
        values = sum(1 for value in after.values() for _ in _leaves(value))
        each = ", ".join(f"{kind} {count:,}" for kind, count in totals.items())
        return f"equal: {len(after):,} figures with {values:,} values of {len(totals)} kinds ({each}){lone}", True
    share = ", ".join(f"{len(lines)} of {totals[kind]} {kind}" for kind, lines in found.items())
    lines = [line for kind in found for line in (f"{kind}:", *found[kind])]
    return "\n".join([*lines, f"different: {share}; {len(before)} figures before, {len(after)} after{lone}"]), False


def difference(name, before, after):
    """The first difference of a figure, how many there are, and the largest; empty where both sides are equal."""
    old, new = (dict(_leaves(side.get(name, ABSENT))) for side in (before, after))
    apart = {place: (old.get(place, ABSENT), new.get(place, ABSENT)) for place in {**old, **new}}
    apart = {place: pair for place, pair in apart.items() if not _equal(*pair)}
    if not apart:
        return ""
    place, (a, b) = next(iter(apart.items()))
    shares = [abs(b - a) / abs(a) for a, b in apart.values() if _number(a) and _number(b) and a]
    furthest = f", by up to {max(shares):.3g} of the number before" if shares else ""
    note = f"  ({len(apart)} of {len(new)} differ{furthest})" if len(apart) > 1 else ""
    return f"{name}{place}: {a} -> {b}{note}"


def _kind(name):
    """`profile/8f0f/gains` -> `profile`."""
    return name.partition("/")[0]


def _equal(a, b):
    """Equal to the last bit; NaN equals NaN and nothing else, and a truth value is no number."""
    return isinstance(a, bool) == isinstance(b, bool) and (a == b or (a != a and b != b))


def _leaves(value, place=""):
    """`{"a": [1, 2]}` -> `("[a][0]", 1)`, `("[a][1]", 2)`."""
    if not isinstance(value, dict | list) or not value:
        yield place, value
        return
    for key, each in value.items() if isinstance(value, dict) else enumerate(value):
        yield from _leaves(each, f"{place}[{key}]")


def _number(value):
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
