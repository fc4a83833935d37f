"""What the numbers say, in sentences computed from them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.analysis.comparing import Change, Line, Results, Slice
from core.analysis.comparison import FEWEST_SEEDS, Interval, sentence, verdict
from core.analysis.phrases import FEWEST_SHUFFLES, between, listed, not_a_number
from core.specs.base import number

SOME_SEEDS = {1: "one calibration seed", 2: "two calibration seeds"}
OTHERS = ("reversed", "ramp")  # controls with one allocation each; shuffles are counted


def sentences(results: Results, part: Slice, shown: Line | None) -> list[str]:
    """The verdicts within one pruner and target: the setting in view first, then corrections, then every method."""
    lines = results.within(part)
    found = not_a_number({each.name: each.broken for each in lines if not each.finite})
    bases = [each for each in lines if any(results.base(other) is each for other in lines)]
    found += [text for base in bases for text in _of_correction(results, base, lines, shown)]
    methods = [each for each in lines if not each.strength and results.uniform(each)]
    methods.sort(key=lambda each: each is not shown)
    if shown and shown.strength and results.uniform(shown) not in (None, results.base(shown)):
        methods.append(shown)
    found += [_against(each.name, "uniform", results.against_uniform(each)) for each in methods if each.finite]
    return found


def _against(name: str, other: str, found: Change, few: bool = True) -> str:
    """One sentence on a change, and what other calibration seeds make of it.

    Args:
        few: say so where there are too few seeds to tell.
    """
    if not found.windows.n:
        text = f"{name} and {other} have no calibration seed in common, so they are not compared"
    else:
        text = sentence(name, other, found.windows) + _over_seeds(found, few)
    return f"{text[:1].upper()}{text[1:]}."


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
        return f"; {over} " + (
            f"this is not certain: {between(seeds)}" if word != "no different" else f"neither: {between(seeds)}"
        )
    return f"; {over} it is {between(seeds)}"


def _of_correction(results: Results, base: Line, lines: Sequence[Line], shown: Line | None) -> list[str]:
    """The correction of a base at one strength, and its controls beside it."""
    kin = [each for each in lines if results.base(each) is base]
    corrected = [each for each in kin if _control(each) == "none"]
    if not corrected:
        return []
    mine = shown if shown in corrected else max(corrected, key=lambda each: each.strength)
    found = results.against_base(mine)
    name = f"the correction at strength {number(mine.strength)}"
    text = [_against(name, f"its base, {base.name}", found)]
    alike = [each for each in kin if each.strength == mine.strength and each.finite and mine.finite]
    against = {control: [results.change(each, mine) for each in alike if _control(each) == control] for control in
               (*OTHERS, "shuffled")}  # fmt: skip
    text += [_against(control, "the correction", against[control][0], few=False)
             for control in OTHERS if against[control]]  # fmt: skip
    if against["shuffled"]:
        text.append(_of_shuffles([each.windows for each in against["shuffled"]]))
    text += _conclusion(found, against)
    return [" ".join(text)]


def _of_shuffles(found: Sequence[Interval]) -> str:
    """Where the correction lies among its shuffles.

    Args:
        found: change of each shuffle against the correction.
    """
    words = [verdict(each) for each in found]
    shuffles = "one shuffle" if len(found) == 1 else f"{len(found)} shuffles"
    few = "" if len(found) >= FEWEST_SHUFFLES else f" ({FEWEST_SHUFFLES} or more make a range)"
    if "unknown" in words:
        return f"Against {shuffles}{few}: too few windows to tell."
    counts = {"worse than": words.count("gains"), "better than": words.count("costs")}
    counts["no different from"] = words.count("no different")
    if len(found) == 1:
        [where] = [word for word, n in counts.items() if n]
        return f"The correction is {where} the one shuffle measured{few}."
    where = listed([f"{word} {n}" for word, n in counts.items() if n])
    return f"Among {shuffles}{few} the correction is {where}."


def _conclusion(own: Change, against: Mapping[str, Sequence[Change]]) -> list[str]:
    """Whether a gain is the correction's own: only where it gains, over seeds too, and controls were measured."""
    controls = [each.windows for several in against.values() for each in several]
    if verdict(own.windows) != "gains" or verdict(own.seeds) == "no different" or not controls:
        return []
    words = {verdict(each) for each in controls}
    if words == {"costs"}:
        far = f", as far as {SOME_SEEDS[own.seeds.n]} can tell" if own.seeds.n in SOME_SEEDS else ""
        return [f"Every control does worse: the gain is the correction's own{far}."]
    if words & {"gains", "no different"}:
        return ["A control does as well or better, so it is not the measured absorption that helps."]
    return []


def _control(line: Line) -> str:
    return line.setting.allocation.correction.control
