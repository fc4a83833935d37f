"""Changes of perplexity in words: the one place where a change is a cost, a gain, no difference or unknown. Pure."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from core.base import Estimate, capital, listed, number, several
from core.requests import Recipe, spoken
from core.results import (
    FEWEST_WINDOWS,
    Change,
    Result,
    Slice,
    Study,
    percent_text,
    slice_of,
    verdict,
)

ROUNDING = 0.5  # per cent of perplexity: what another batch size alone does to a model that is pruned to 70 % zeros
STANDS = {
    "gains": "better", "costs": "worse", "no different": "no different", "unknown": "with too few windows to tell"
}  # fmt: skip
OTHERS = ("reversed", "ramp")  # controls with one allocation each; shuffles are counted


# --- one change ---------------------------------------------------------------------------------------------------


def sentence(name: str, base: str, change: Change) -> str:
    """One clause: what a setting does to perplexity against its base, and what other calibration seeds make of it."""
    windows, word = change.windows, verdict(change.windows)
    if not windows.n:
        return f"{name} and {base} have no calibration seed in common, so they are not compared"
    if math.isnan(windows.value):
        return f"{name} cannot be compared with {base}: a loss is not finite"
    if word == "unknown":
        return f"{name} against {base}: too few windows to tell (n = {windows.n}, {FEWEST_WINDOWS} are needed)"
    if word == "no different":
        return f"{name} is no different from {base}: {percent_text(windows, '')}{_over_seeds(change)}"
    does = "lowers" if word == "gains" else "raises"
    size = windows if windows.low > 0 else Estimate(-windows.value, -windows.high, -windows.low, windows.n)
    noise = ", no more than rounding can do at 70 % zeros" if abs(windows.value) < ROUNDING else ""
    return f"{name} {does} perplexity by {percent_text(size, '')} against {base}{noise}{_over_seeds(change)}"


def _over_seeds(change: Change) -> str:
    """The change over calibration seeds, and whether a verdict over windows holds there."""
    seeds = change.seeds
    if not seeds.n:
        return ""
    if not seeds.certain:
        return f" ({several(seeds.n, 'calibration seed')})"
    doubt = ", which is not certain" * (verdict(seeds) == "no different" != verdict(change.windows))
    return f"; over {seeds.n} calibration seeds {percent_text(seeds)}{doubt}"


def against(name: str, base: str, change: Change) -> str:
    """The same as a sentence."""
    return f"{capital(sentence(name, base, change))}."


# --- many changes -------------------------------------------------------------------------------------------------


def tally(changes: Iterable[Estimate], what: str, base: str) -> str:
    """Count of changes for the better and for the worse: `4 settings against uniform: 3 better and 1 worse.`"""
    words = Counter(STANDS[verdict(each)] if math.isfinite(each.value) else "not a number" for each in changes)
    parts = [f"{words[word]} {word}" for word in (*STANDS.values(), "not a number") if words[word]]
    parts = list(words) if words.total() == 1 else parts
    return f"{several(words.total(), what)} against {base}: {listed(parts)}." if parts else ""


def not_a_number(broken: Iterable[Result]) -> list[str]:
    """A sentence for every setting whose perplexity is not a number, with the layer where that arose."""
    return [f"{spoken(one.name)} at {one.level.removesuffix(' zeros')}: the perplexity is {one.trouble}."
            for one in broken if one.trouble]  # fmt: skip


# --- a slice ------------------------------------------------------------------------------------------------------


def sentences(study: Study, part: Slice, current: Result | None) -> list[str]:
    """The verdicts within one pruner and target: the setting in view first, then corrections, then every method."""
    settings = study.within(part)
    text = not_a_number(settings)
    for base in settings:
        text += of_correction(study, base, current)
    methods = sorted(
        (each for each in settings if not each.strength and each.uniform), key=lambda each: each is not current
    )
    if current and current.strength and current.uniform not in (None, current.base):
        methods.append(current)
    return text + [
        against(spoken(each.name, part.name), "uniform", each.against_uniform) for each in methods if each.finite
    ]


def of_study(study: Study) -> list[str]:
    """The verdicts of a whole study, each led by its target, pruner and repair."""
    return [f"At {part.name}: {text}" for part in study.slices for text in sentences(study, part, None)]


def in_view(study: Study, base: Result, current: Result | None) -> Result | None:
    """The correction of a base that is spoken of: the one in view, else the strongest."""
    corrections = [each for each in study.corrections(base) if each.control == "none"]
    return current if current in corrections else max(corrections, key=lambda each: each.strength, default=None)


def of_correction(study: Study, base: Result, current: Result | None) -> list[str]:
    """The correction of a base at one strength, and its controls beside it."""
    mine = in_view(study, base, current)
    if mine is None:
        return []
    own, controls = mine.against_base, study.controls(mine)
    name = f"the correction at strength {number(mine.strength)}"
    text = [against(name, f"its base, {spoken(base.name, slice_of(base.setting).name)}", own)]
    sound = {name: [each.against(mine) for each in controls[name] if each.finite and mine.finite]
             for name in (*OTHERS, "shuffled")}  # fmt: skip
    text += [against(name, "the correction", sound[name][0]) for name in OTHERS if sound[name]]
    text += [
        tally([each.windows for each in sound["shuffled"]], "shuffle", "the correction"),
        _conclusion(own, [each for group in sound.values() for each in group]),
    ]
    return [" ".join(filter(None, text))]


def _conclusion(own: Change, controls: Sequence[Change]) -> str:
    """Sentence: the gain is the correction's own or not; empty unless it gains, over seeds too, beside controls."""
    if verdict(own.windows) != "gains" or verdict(own.seeds) == "no different" or not controls:
        return ""
    words = {verdict(each.windows) for each in controls}
    if words == {"costs"}:
        seeds = own.seeds
        far = "" if seeds.certain or not seeds.n else f", as far as {several(seeds.n, 'calibration seed')} can tell"
        return f"Every control does worse: the gain is the correction's own{far}."
    if words & {"gains", "no different"}:
        return "A control does as well or better, so it is not the measured absorption that helps."
    return ""


# --- what a page leads with ----------------------------------------------------------------------------------------


def leading(study: Study, part: Slice, recipe: Recipe | None = None) -> Result:
    """The measured setting to lead with where the one in view is not measured, or none is in view.

    Its method, else the lowest perplexity, else uniform; a correction never leads.
    """
    plain = [each for each in study.within(part) if each.uniform and each.finite and not each.strength]
    alike = [e for e in plain if recipe and e.setting.allocation.base.kind == recipe.allocation.base.kind]
    return min(alike or plain or study.within(part), key=lambda each: each.perplexity)


def behind(one: Result, study: Study) -> str:
    """The perplexities that one is compared with; empty where nothing was measured beside it."""
    others = [(one.uniform, "uniform"), (study.dense, "the dense model")]
    compared = listed(f"{each.written} for {name}" for each, name in others if each is not None)
    return f"Against {compared}." if compared else ""
