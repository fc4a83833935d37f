"""What a prediction of perplexity says, in words."""

from collections.abc import Mapping

from core.base import duration, per_cent, perplexity, several
from core.results import Anchors, Best, CheckedPrediction, Prediction, Result, protocols
from core.results.anchor_studies import Narrower


def interval(middle: float, low: float, high: float) -> str:
    """`612 [560, 668]`: a perplexity and its 90 % interval; one number where both ends are the same, or not known."""
    ends = perplexity(low), perplexity(high)
    return ends[0] if ends[0] == ends[1] else f"{perplexity(middle)} [{', '.join(ends)}]"


def beside(found: Mapping[str, Prediction]) -> str:
    """`Predicted perplexity, 90 % interval: this allocation 612 [560, 668], uniform 932 [860, 1,010].`"""
    first = {each: name for name, each in reversed(found.items())}  # each number once
    said = ", ".join(f"{name} {interval(*each[:3])}" for name, each in found.items() if first[each] == name)
    return f"Predicted perplexity, 90 % interval: {said}."


def one(anchors: Anchors, found: Prediction, measured: Result | None) -> str:
    """`Predicted perplexity 612, 90 % interval [560, 668]; measured 598; unpruned 30.8 (C4 48 × 512).`"""
    known = {"measured": measured, "unpruned": anchors.study.dense}
    more = "".join(f"; {name} {perplexity(each.perplexity)}" for name, each in known.items() if each)
    predicted = interval(*found[:3]).replace(" [", ", 90 % interval [")
    return f"Predicted perplexity {predicted}{more} ({protocols.short(anchors.study)})."


def narrower(found: Narrower) -> str:
    """One sentence: the measurement that narrows the interval, and its time or why it cannot be made here."""
    how = "but its text is not on this machine" if found.minutes is None else f"in about {duration(60 * found.minutes)}"
    return f"This interval is wide: evaluating {found.setting} would narrow it, {how}."


def basis(found: Anchors) -> str:
    """What it was learned from, what is left out of that, and how wrong it was on settings it had not seen."""
    off, way = found.leave_one_out, ", ".join(filter(None, [found.treatment.spoken, found.repair_options]))
    evaluated = f"{several(len(found.settings), 'setting')} evaluated with {way}"
    learned = " ".join([f"Learned from {evaluated} ({protocols.short(found.study)}).", *found.left_out])
    if off is None:
        return f"{learned} With so few, how wrong it is has not been seen: evaluate one more."
    half, ninety = per_cent(off.median, 1), per_cent(off.ninety, 1)
    wrong = f"the loss added is off by up to {half} for half of them, by up to {ninety} for nine in ten"
    return f"{learned} Predicted from the others alone, {wrong}."


def against(name: str, found: CheckedPrediction, measured: float) -> str:
    """`owl:0.7: predicted 612 [560, 668] from other settings, measured 598: the loss added was overestimated by 2 %`"""
    wrong = f"{'over' if found.off > 0 else 'under'}estimated by {per_cent(round(abs(found.off), 3))}"
    said = f"{name}: predicted {interval(*found[:3])} from other settings, measured {perplexity(measured)}"
    return f"{said}: the loss added was {wrong}"


def of_search(found: Best) -> list[str]:
    """How many candidates were predicted, and for those that were evaluated then, how far off that was."""
    told = ((each, found.predicted(each)) for each in found.candidates if each.finite)
    counted = f"{found.provenance.predicted} candidates were predicted, {len(found.candidates)} were evaluated."
    return [counted, *(against(each.name, known, each.perplexity) for each, known in told if known)]
