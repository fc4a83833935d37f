"""What the numbers say, in sentences computed from them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.comparison import Interval, sentence, verdict
from core.specs import number
from pages.ui.charts.evaluation import count, not_a_number, said
from pages.ui.prune.comparing import Change, Line, Results, Slice

OTHERS = ("reversed", "ramp")  # controls with one allocation each; shuffles are counted


def sentences(results: Results, part: Slice, shown: Line | None) -> list[str]:
    """The verdicts within one pruner and target: the setting in view first, then corrections, then every method."""
    lines = results.within(part)
    found = not_a_number({each.name: each.broken for each in lines if not each.finite})
    bases = [each for each in lines if any(results.base(other) is each for other in lines)]
    found += [text for base in bases for text in _of_correction(results, base, lines, shown)]
    methods = [each for each in lines if not each.strength and results.uniform(each)]
    methods.sort(key=lambda each: each is not shown)
    found += [_against(each, "uniform", results.against_uniform(each)) for each in methods if each.finite]
    if shown and shown.strength and shown.finite and results.uniform(shown):
        found.append(_against(shown, "uniform", results.against_uniform(shown)))
    return found


def _against(line: Line, other: str, found: Change) -> str:
    return _sentence(sentence(line.name, other, found.windows), found)


def _sentence(text: str, found: Change) -> str:
    spread = f"; over {found.seeds.n} calibration seeds {said(found.seeds)}" if found.seeds.certain else ""
    return f"{text[:1].upper()}{text[1:]}{spread}."


def _of_correction(results: Results, base: Line, lines: Sequence[Line], shown: Line | None) -> list[str]:
    """The correction of a base at one strength, and its controls beside it."""
    kin = [each for each in lines if results.base(each) is base]
    corrected = [each for each in kin if _control(each) == "none"]
    if not corrected:
        return []
    mine = shown if shown in corrected else max(corrected, key=lambda each: each.strength)
    found = results.against_base(mine)
    name = f"the correction at strength {number(mine.strength)}"
    text = [_sentence(sentence(name, f"its base, {base.name}", found.windows), found)]
    alike = [each for each in kin if each.strength == mine.strength and each.finite and mine.finite]
    against = {control: [results.change(each, mine) for each in alike if _control(each) == control] for control in
               (*OTHERS, "shuffled")}  # fmt: skip
    text += [_sentence(sentence(control, "the correction", against[control][0].windows), against[control][0])
             for control in OTHERS if against[control]]  # fmt: skip
    if against["shuffled"]:
        text.append(_of_shuffles([each.windows for each in against["shuffled"]]))
    text += _conclusion(found.windows, against)
    return [" ".join(text)]


def _of_shuffles(found: Sequence[Interval]) -> str:
    words = [verdict(each) for each in found]
    if "unknown" in words:
        return f"{_shuffles(len(found))}: too few windows to tell."
    counts = {word: count([each for each in words if each == word]) for word in ("gains", "costs", "no different")}
    return (
        f"Of {_shuffles(len(found))} {counts['gains']} better, {counts['costs']} worse and "
        f"{counts['no different']} no different than the correction."
    )


def _shuffles(n: int) -> str:
    return "one shuffle" if n == 1 else f"{n} shuffles"


def _conclusion(own: Interval, against: Mapping[str, Sequence[Change]]) -> list[str]:
    """Whether a gain is the correction's own: only where it gains and controls were measured."""
    controls = [each.windows for several in against.values() for each in several]
    if verdict(own) != "gains" or not controls:
        return []
    words = {verdict(each) for each in controls}
    if words == {"costs"}:
        return ["Every control does worse: the gain is the correction's own."]
    if words & {"gains", "no different"}:
        return ["A control does as well or better, so it is not the measured absorption that helps."]
    return []


def _control(line: Line) -> str:
    return line.setting.allocation.correction.control
