"""What a page leads with: one measured setting, and its change of perplexity as the first words. Pure."""

from __future__ import annotations

import math

from core.ask import naming
from core.ask.naming import spoken
from core.ask.settings import Setting
from core.base.formats import per_cent
from core.results.comparison import FEWEST_WINDOWS
from core.results.evaluated import Change, EvaluatedSetting
from core.results.evaluations import Evaluations, Slice
from core.results.rows import perplexity
from core.results.verdicts import between, verdict


def leading(found: Evaluations, part: Slice, setting: Setting) -> EvaluatedSetting:
    """The measured setting to lead with where the one in view is not measured.

    Its method, else the lowest perplexity, else uniform; a correction never leads.
    """
    plain = [each for each in found.within(part) if each.uniform and each.finite and not each.strength]
    alike = [each for each in plain if each.setting.allocation.base.kind == setting.allocation.base.kind]
    return min(alike or plain or found.within(part), key=lambda each: each.perplexity)


def headline(one: EvaluatedSetting, part: Slice) -> str:
    """`39 % lower perplexity than uniform at 70 %`, where that much is certain; of uniform itself its perplexity."""
    at = f"at {100 * part.target:.4g} %"
    change = one.against_uniform
    if change is None or not math.isfinite(change.value):
        return f"Perplexity {perplexity(one)} {at}"
    if verdict(change.quoted) not in ("costs", "gains"):
        return f"No certain difference from uniform {at}"
    size = abs(change.value)
    word = "lower" if change.value < 0 else "higher"
    return f"{size:.{0 if size >= 20 else 1}f} % {word} perplexity than uniform {at}"


def behind(one: EvaluatedSetting, found: Evaluations) -> str:
    """What the headline compares, and how certain it is."""
    others = [(one.uniform, "uniform"), (found.dense, "the dense model")]
    compared = " and ".join(f"{perplexity(each)} for {name}" for each, name in others if each is not None)
    said = f"{naming.long(one.setting.allocation)}: perplexity {perplexity(one)}" + (
        f", against {compared}." if compared else "."
    )
    return " ".join(filter(None, [said, one.against_uniform and certainty(one.against_uniform)]))


def lowest(one: EvaluatedSetting, found: Evaluations) -> str:
    """Which setting has a lower perplexity at the same zeros, by whatever pruner and repair; empty where none has."""
    target = one.setting.allocation.target
    alike = [each for each in found.settings if each.setting.allocation.target == target and each.finite]
    best = min(alike, key=lambda each: each.perplexity, default=one)
    if best is one or best.perplexity == one.perplexity:
        return ""
    return f"Lowest perplexity measured at {per_cent(target)} zeros: {perplexity(best)}, {spoken(best.name)}."


def certainty(change: Change) -> str:
    """The interval that stands beside a change, and whether it leaves the direction open."""
    ends = change.quoted
    if not math.isfinite(ends.value):
        return ""
    if not ends.certain:
        return f"Too few windows to tell: {ends.n} were evaluated, {FEWEST_WINDOWS} are needed."
    seeds = change.seeds.n
    over = f"over {seeds} calibration seeds" if change.seeds.certain else "over windows"
    open_ = "; the direction is not certain" if verdict(ends) == "no different" else ""
    alone = ", with one calibration seed" if seeds == 1 else ""
    return f"95 % interval {over}{alone}: {between(ends)}{open_}."
