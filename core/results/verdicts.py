"""What numbers say, in words: the one place where a change is a cost, a gain, no difference or unknown. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from core.ask import naming
from core.ask.naming import spoken
from core.ask.settings import Setting
from core.base.formats import capital, listed, per_cent
from core.base.spec import number
from core.results.comparison import FEWEST_SEEDS, FEWEST_WINDOWS, Interval
from core.results.evaluated import Change, EvaluatedSetting
from core.results.evaluations import Evaluations, Slice

FEWEST_SHUFFLES = 5  # shuffles that make a range
ROUNDING = 0.5  # per cent of perplexity: what another batch size alone does to a model that is pruned to 70 % zeros
NARROW = 5  # per cent, of an interval whose ends get a decimal
SOME_SEEDS = {1: "one calibration seed", 2: "two calibration seeds"}
OTHERS = ("reversed", "ramp")  # controls with one allocation each; shuffles are counted


def verdict(interval: Interval) -> str:
    """`costs`, `gains`, `no different` or `unknown`, for a difference whose zero is `equal`."""
    if not interval.certain:
        return "unknown"
    return "costs" if interval.low > 0 else "gains" if interval.high < 0 else "no different"


# --- one change ---------------------------------------------------------------------------------------------------


def sentence(name: str, base: str, interval: Interval) -> str:
    """One sentence about a change in per cent: what the setting does to perplexity against its base."""
    if math.isnan(interval.value):
        return f"{name} cannot be compared with {base}: a loss is not finite"
    word = verdict(interval)
    if word == "unknown":
        return f"{name} against {base}: too few windows to tell (n = {interval.n}, {FEWEST_WINDOWS} are needed)"
    if word == "no different":
        return f"{name} is no different from {base}: {_percents(interval)}"
    does = {"gains": "lowers", "costs": "raises"}[word]
    return f"{name} {does} perplexity by {_percents(_size(interval))} against {base}{_rounded(interval)}"


def beside(change: Change, base: str) -> str:
    """The same in brief, with the interval it is quoted with: `64 % [60, 68] below uniform, one calibration seed`."""
    found = change.quoted
    word = verdict(found)
    if math.isnan(found.value):
        return f"not comparable with {base}"
    if word == "unknown":
        return f"{found.value:+,.0f} % against {base}, too few windows for an interval"
    if word == "no different":
        return f"no different from {base}: {_percents(found)}{seeds_of(change)}"
    where = {"gains": "below", "costs": "above"}[word]
    return f"{_percents(_size(found))} {where} {base}{seeds_of(change)}{_rounded(found)}"


def _rounded(found: Interval) -> str:
    """A remark where rounding alone can do as much as a change that is certain over windows."""
    return ", no more than rounding can do at 70 % zeros" if abs(found.value) < ROUNDING else ""


def quoted(change: Change) -> str:
    """`-39 % [-73, +40] over 3 calibration seeds`: the value over seeds and the interval that goes with it."""
    return f"{said(change.quoted)}{seeds_of(change)}"


def seeds_of(change: Change) -> str:
    """` over 3 calibration seeds`, `, one calibration seed`; empty where none were drawn."""
    if not change.seeds.n:
        return ""
    few = SOME_SEEDS.get(change.seeds.n)
    return f", {few}" if few else f" over {change.seeds.n} calibration seeds"


def said(found: Interval) -> str:
    """`+12 % [9, 15]`; the value alone where there is no interval."""
    if not math.isfinite(found.value):
        return "not a number"
    decimals = 1 if abs(found.value) < 20 else 0
    ends = f" [{found.low:+,.{decimals}f}, {found.high:+,.{decimals}f}]" if found.certain else ", no interval"
    return f"{found.value:+,.{decimals}f} %{ends}"


def between(found: Interval) -> str:
    """The interval in words: `40 to 53 % lower`, `from 73 % lower to 40 % higher`."""
    decimals = 1 if abs(found.high - found.low) < NARROW else 0
    low, high = (f"{abs(each):,.{decimals}f}" for each in (found.low, found.high))
    if found.low > 0:
        return f"{low} to {high} % higher"
    if found.high < 0:
        return f"{high} to {low} % lower"
    return f"from {low} % lower to {high} % higher"


def _size(found: Interval) -> Interval:
    """A change without its sign."""
    return found if found.low > 0 else Interval(-found.value, -found.high, -found.low, found.n)


def _percents(found: Interval) -> str:
    """`12 % [9, 15]`, with as many decimals as the width of the interval calls for.

    An end that is not zero gets more of them before it is written as zero: on which side of it it lies is the verdict.
    """
    width = found.high - found.low
    decimals = min(3, max(0, math.ceil(-math.log10(width / 3)))) if 0 < width < math.inf else 1
    while decimals < 3 and any(each and not round(each, decimals) for each in (found.low, found.high)):
        decimals += 1
    value, low, high = (f"{round(each, decimals) + 0.0:,.{decimals}f}" for each in (found.value, found.low, found.high))
    return f"{value} % [{low}, {high}]"


# --- many changes -------------------------------------------------------------------------------------------------


def not_a_number(broken: Mapping[str, int | None]) -> list[str]:
    """A sentence for every setting whose perplexity is not a number, with the layer where that arose."""
    return [
        f"{name}: the perplexity is not a number, from layer {layer} on."
        if layer is not None
        else f"{name}: the perplexity is not a finite number, though every layer's output is."
        for name, layer in broken.items()
    ]


STANDS = {"gains": "better than", "costs": "worse than", "no different": "no different from"}


def counted(rows: Mapping[str, Interval], against: str) -> str:
    """How many changes are for the better and for the worse, in a sentence; of one, which it is."""
    if len(rows) == 1:
        [(name, found)] = rows.items()
        if found.certain:
            return f"{spoken(name)} is {STANDS[verdict(found)]} {against}."
    unknown = [spoken(name) for name, found in rows.items() if not math.isfinite(found.value)]
    words = Counter(verdict(found) for found in rows.values() if math.isfinite(found.value))
    few = words["unknown"]
    text = f"{words['gains'] or 'none'} of {len(rows)} better than {against}"
    text += "".join(f", {words[word]} {of}" for word, of in (("costs", "worse"), ("no different", "no different"))
                    if words[word])  # fmt: skip
    if few and few == len(rows):
        text = f"too few windows to tell any setting from {against} (fewer than {FEWEST_WINDOWS})"
    elif few:
        text += f"; {few} with too few windows to tell (fewer than {FEWEST_WINDOWS})"
    return _sentence(text + (f"; not a number: {', '.join(unknown)}" if unknown else ""))


def over_strengths(found: Mapping[float, Interval], base: str) -> str:
    """What a correction does to its base, strength by strength; those without an interval are left out."""
    known = {strength: each for strength, each in found.items() if each.certain}
    if not known:
        return f"No strength of the correction has an interval against {base}."
    if len(known) == 1:
        [(strength, one)] = known.items()
        return _sentence(sentence(f"the correction, measured at strength {strength:g} alone,", base, one))
    words = Counter(map(verdict, known.values()))
    names = {"gains": "lower", "costs": "higher", "no different": "no different"}
    said = [f"{name} at {words[word]}" for word, name in names.items() if words[word]]
    return f"Of {len(known)} strengths of the correction, perplexity against {base} is {listed(said)}."


def _sentence(text: str) -> str:
    return f"{capital(text)}."


# --- a slice ------------------------------------------------------------------------------------------------------


def sentences(found: Evaluations, part: Slice, shown: EvaluatedSetting | None) -> list[str]:
    """The verdicts within one pruner and target: the setting in view first, then corrections, then every method."""
    settings = found.within(part)
    text = not_a_number({spoken(each.name): each.broken for each in settings if not each.finite})
    for base in settings:
        text += of_correction(found, base, shown)
    methods = [each for each in settings if not each.strength and each.uniform]
    methods.sort(key=lambda each: each is not shown)
    if shown and shown.strength and shown.uniform not in (None, shown.base):
        methods.append(shown)
    return text + [against(spoken(each.name), "uniform", each.against_uniform) for each in methods if each.finite]


def against(name: str, other: str, found: Change, few: bool = True) -> str:
    """One sentence on a change, and what other calibration seeds make of it.

    Args:
        few: say so where there are too few seeds to tell.
    """
    if not found.windows.n:
        return _sentence(f"{name} and {other} have no calibration seed in common, so they are not compared")
    return _sentence(sentence(name, other, found.windows) + _over_seeds(found, few))


def _over_seeds(found: Change, few: bool) -> str:
    """Whether a verdict holds over calibration seeds; a verdict that is none needs no more words."""
    word, seeds = verdict(found.windows), found.seeds
    if word == "unknown" or not seeds.n:
        return ""
    if seeds.n < FEWEST_SEEDS:
        return f" ({SOME_SEEDS[seeds.n]})" if few else ""
    over = f"over {seeds.n} calibration seeds"
    if verdict(seeds) == word != "no different":
        return f", and {over} too: {between(seeds)}"
    if verdict(seeds) == "no different":
        return f"; {over} {'neither' if word == 'no different' else 'this is not certain'}: {between(seeds)}"
    return f"; {over} it is {between(seeds)}"


def in_view(found: Evaluations, base: EvaluatedSetting, shown: EvaluatedSetting | None) -> EvaluatedSetting | None:
    """The correction of a base that is spoken of: the one in view, else the strongest."""
    corrections = [each for each in found.corrections(base) if each.control == "none"]
    return shown if shown in corrections else max(corrections, key=lambda each: each.strength, default=None)


def of_correction(found: Evaluations, base: EvaluatedSetting, shown: EvaluatedSetting | None) -> list[str]:
    """The correction of a base at one strength, and its controls beside it."""
    mine = in_view(found, base, shown)
    if mine is None:
        return []
    own, controls = mine.against_base, found.controls(mine)
    text = [against(f"the correction at strength {number(mine.strength)}", f"its base, {spoken(base.name)}", own)]
    sound = {name: [each.against(mine) for each in controls[name] if each.finite and mine.finite]
             for name in (*OTHERS, "shuffled")}  # fmt: skip
    text += [against(name, "the correction", sound[name][0], few=False) for name in OTHERS if sound[name]]
    text += [among_shuffles(found, mine), _conclusion(own, [each for several in sound.values() for each in several])]
    return [" ".join(filter(None, text))]


def among_shuffles(found: Evaluations, correction: EvaluatedSetting) -> str:
    """Where a correction lies among its shuffles, each paired with it over windows; empty where there are none."""
    shuffles = [each for each in found.controls(correction)["shuffled"] if each.finite and correction.finite]
    if not shuffles:
        return ""
    words = Counter(verdict(each.against(correction).windows) for each in shuffles)
    count = "one shuffle" if len(shuffles) == 1 else f"{len(shuffles)} shuffles"
    at = f"at strength {number(correction.strength)}"
    few = "" if len(shuffles) >= FEWEST_SHUFFLES else f" ({FEWEST_SHUFFLES} or more make a range)"
    if words["unknown"]:
        return f"Against {count} {at}{few}: too few windows to tell."
    names = {"gains": "worse than", "costs": "better than", "no different": "no different from"}
    if len(shuffles) == 1:
        return f"The correction {at} is {names[next(iter(words))]} the one shuffle measured{few}."
    where = listed([f"{name} {words[word]}" for word, name in names.items() if words[word]])
    return f"Among {count} {at}{few} the correction is {where}."


def _conclusion(own: Change, controls: Sequence[Change]) -> str:
    """Whether a gain is the correction's own: only where it gains, over seeds too, and controls were measured."""
    if verdict(own.windows) != "gains" or verdict(own.seeds) == "no different" or not controls:
        return ""
    words = {verdict(each.windows) for each in controls}
    if words == {"costs"}:
        far = f", as far as {SOME_SEEDS[own.seeds.n]} can tell" if own.seeds.n in SOME_SEEDS else ""
        return f"Every control does worse: the gain is the correction's own{far}."
    if words & {"gains", "no different"}:
        return "A control does as well or better, so it is not the measured absorption that helps."
    return ""


# --- what a page leads with ----------------------------------------------------------------------------------------


def leading(found: Evaluations, part: Slice, setting: Setting | None = None) -> EvaluatedSetting:
    """The measured setting to lead with where the one in view is not measured, or none is in view.

    Its method, else the lowest perplexity, else uniform; a correction never leads.
    """
    plain = [each for each in found.within(part) if each.uniform and each.finite and not each.strength]
    alike = [e for e in plain if setting and e.setting.allocation.base.kind == setting.allocation.base.kind]
    return min(alike or plain or found.within(part), key=lambda each: each.perplexity)


def headline(one: EvaluatedSetting, part: Slice) -> str:
    """`39 % lower perplexity than uniform at 70 %`, where that much is certain; of uniform itself its perplexity."""
    at = f"at {100 * part.target:.4g} %"
    change = one.against_uniform
    if change is None or not math.isfinite(change.value):
        return f"Perplexity {one.written} {at}"
    if verdict(change.quoted) not in ("costs", "gains"):
        return f"No certain difference from uniform {at}"
    size = abs(change.value)
    word = "lower" if change.value < 0 else "higher"
    return f"{size:.{0 if size >= 20 else 1}f} % {word} perplexity than uniform {at}"


def behind(one: EvaluatedSetting, found: Evaluations) -> str:
    """What the headline compares, and how certain it is."""
    others = [(one.uniform, "uniform"), (found.dense, "the dense model")]
    compared = " and ".join(f"{each.written} for {name}" for each, name in others if each is not None)
    said = f"{naming.long(one.setting.allocation)}: perplexity {one.written}" + (
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
    return f"Lowest perplexity measured at {per_cent(target)} zeros: {best.written}, {spoken(best.name)}."


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
