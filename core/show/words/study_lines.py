"""Lines on studies: what must be alike before two numbers are compared, predictions, and answers of a search."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache

from core.base import digits, distinct, per_cent, perplexity, several
from core.methods import DEFAULT_PRUNER, PRUNERS
from core.plan import DENSE, MASKED, PATTERN, SMALLEST
from core.requests import Recipe, TaskSpec, recipe_names, write
from core.results import (
    Best,
    Forecast,
    Prediction,
    Result,
    Study,
    amount,
    examples,
    label,
    protocols,
    short_name,
)
from core.show.words import perplexity_sentences

SHORT = 6  # digits of a key or a hash on screen


def names(groups: Iterable[Study]) -> list[str]:
    """A name for each of several protocols, no two alike."""
    forms = []
    for each in groups:
        name, keys = short_name(each), ", ".join(key[:SHORT] for key in each.profiles)
        forms.append((name, f"{name}, profile {keys}", f"{name}: {badge(each)}"))
    return distinct(forms)


@lru_cache
def badge(study: Study) -> str:
    """All that must be alike before two numbers are compared, what was measured so, and the keys of both."""
    spec, provenance = study.spec, study.provenance
    keys = dict.fromkeys(entry.key for entry in (*study.entries, *study.guests)) or [spec.key]
    listed: dict[str, list] = {
        "calibration seeds": sorted({each.seed for each in study.points if each.seed is not None and each.evaluated}),
        "profiles": [key[:SHORT] for key in study.profiles],
        "studies": [key[:SHORT] for key in keys],
    }
    parts = [
        f"{label(provenance)}, {amount(spec.text)} tokens",
        spec.calibration and f"calibrated on {label(provenance, 'calibration')}, {amount(spec.calibration)}",
        f"{spec.model.dtype} · {several(len(study.settings), 'setting')}",
        *tasks_asked(spec.tasks),
        f"text {spec.text.content[:SHORT]}",
        *(f"{what} {', '.join(map(str, each))}" for what, each in listed.items() if each),
    ]
    return " · ".join(filter(None, parts))


def tasks_asked(tasks: Iterable[TaskSpec]) -> list[str]:
    """Zero-shot tasks with their examples, those of one sample size together."""
    by_amount = defaultdict(list)
    for task in tasks:
        by_amount[examples(task) + (f" drawn by seed {task.seed}" if task.seed else "")].append(task.name)
    return [f"zero-shot on {count} of {', '.join(dict.fromkeys(names))}" for count, names in by_amount.items()]


# --- predictions of perplexity in words ------------------------------------------------------------------------------

NEAR = 0.1  # nats of divergence
NEARBY = "So near the unpruned model, neither tells how scores on tasks change (arXiv 2606.19558)."


def interval(middle: float, low: float, high: float) -> str:
    """`612 [560, 668]`: a perplexity and its 90 % interval; one number where both ends are the same, or not known."""
    ends = perplexity(low), perplexity(high)
    return ends[0] if ends[0] == ends[1] else f"{perplexity(middle)} [{', '.join(ends)}]"


def beside(predictions: Mapping[str, Prediction]) -> str:
    """`Predicted perplexity, 90 % interval: this allocation 612 [560, 668], uniform 932 [860, 1,010].`"""
    first = {each: name for name, each in reversed([*predictions.items()])}  # each number once
    listed_predictions = ", ".join(
        f"{name} {interval(*each[:3])}" for name, each in predictions.items() if first[each] == name
    )
    return f"Predicted perplexity, 90 % interval: {listed_predictions}."


def measured_beside(one: Result, prediction: Prediction) -> str:
    """`Measured perplexity 247, -74 % [-75, -72] against uniform; the other settings predict 276 [233, 331].`"""
    change, uniform = one.against_uniform, recipe_names.uniform_beside(one.setting.repair)
    compared = f", {change.said} against {uniform}" if change else ""
    others = interval(*prediction[:3])
    return f"Measured perplexity {perplexity(one.perplexity)}{compared}; the other settings predict {others}."


def next_words(prediction: Prediction) -> str:
    """`Predicted divergence from the unpruned model, nats: 0.3 [0.2, 0.4]; next words that change: 22 % [20 %, 24 %].`

    Empty where no anchor tells; near the unpruned model with a caveat.
    """
    if not (prediction.kl and prediction.changed):
        return ""
    kl, share = map(digits, prediction.kl), (per_cent(each, 0) for each in prediction.changed)
    divergence, words = ("{} [{}, {}]".format(*each) for each in (kl, share))
    text = f"Predicted divergence from the unpruned model, nats: {divergence}; next words that change: {words}."
    return f"{text} {NEARBY}" if prediction.kl[0] < NEAR else text


def basis(anchors: Forecast) -> str:
    """Sentences: what it learned from, what is left out of that, and its error on settings it had not seen."""
    off, way = anchors.leave_one_out, ", ".join(filter(None, [anchors.treatment.spoken, anchors.repair_options]))
    evaluated = f"{several(len(anchors.settings), 'setting')} evaluated with {way}"
    learned = " ".join([f"Learned from {evaluated} ({protocols.short_name(anchors.study)}).", *anchors.excluded])
    if off is None:
        return f"{learned} With so few, how wrong it is has not been seen: evaluate one more."
    half, ninety = per_cent(off.median, 1), per_cent(off.ninety, 1)
    wrong = f"the loss added is off by up to {half} for half of them, by up to {ninety} for nine in ten"
    return f"{learned} Predicted from the others alone, {wrong}."


def against(name: str, prediction: Prediction, measured: float) -> str:
    """`owl:0.7: predicted 612 [560, 668] from other settings, measured 598: the loss added was overestimated by 2 %`"""
    wrong = f"{'over' if prediction.off > 0 else 'under'}estimated by {per_cent(round(abs(prediction.off), 3))}"
    text = f"{name}: predicted {interval(*prediction[:3])} from other settings, measured {perplexity(measured)}"
    return f"{text}: the loss added was {wrong}"


def of_search(best: Best) -> list[str]:
    """Sentences: the number of predicted candidates, the error for those evaluated then, the winner's next words."""
    checked = ((each, best.predicted(each)) for each in best.candidates if each.finite)
    counts = f"{best.provenance.predicted} candidates were predicted, {len(best.candidates)} were evaluated."
    winner = best.predicted(best.selection.single(best.winner))
    words = winner and next_words(winner)
    off = (against(each.name, known, each.perplexity) for each, known in checked if known)
    return [counts, *off, *([f"{written(best.winner)}: {words}"] if words else [])]


# --- answers of a search, and the worth of zeros in bytes, in words --------------------------------------------------


def answer(best: Best) -> str:
    """The answer in words, with the paired interval it rests on."""
    return f"Use {called(best.answer)}: {_reason(best)}{_lower(best)}."


def _reason(best: Best) -> str:
    if best.against_uniform is None:
        return "nothing did better than uniform on the text that selects"
    if best.only_uniform_breaks:
        return "uniform breaks the model, whose loss is then not a number"
    text = perplexity_sentences.sentence(_named(best.winner), "uniform", best.against_uniform)
    if best.holds:
        return f"on text that nothing was chosen on, {text}"
    return f"the best on the text that selects does not hold on the text that judges ({text})"


def _lower(best: Best) -> str:
    """The reason for a target below the winner's; empty where it is the same."""
    if best.holds or best.answer.allocation.target == best.winner.allocation.target:
        return ""
    return (
        f"; of the targets tried, {amount_of(best.answer)} is the largest at which uniform itself kept within the loss"
    )


def loss(best: Best) -> str:
    """One sentence: the rise of perplexity over the dense model's, and the rise that was allowed."""
    text = perplexity_sentences.sentence(
        called(best.answer, target=False), "the dense model", best.against(best.answer, None)
    )
    if best.spec.max_loss is None:
        return f"At {amount_of(best.answer)}, {text}."
    over = best.lost.value - 100 * best.spec.max_loss
    exceeded = f", which this exceeds by {over:.2g} points" if over > 0 else ""
    allowed = f"{per_cent(best.spec.max_loss)} were allowed{exceeded}"
    return f"At {amount_of(best.answer)}, {text}; {allowed}."


def called(recipe: Recipe, target: bool = True) -> str:
    """A setting as the answer's sentences call it, by a pruner that is not usual: `OWL, m 7 at 70 % with refit`."""
    at = f" at {amount_of(recipe)}" if target else ""
    return f"{_named(recipe)}{at}{_treated(recipe)}"


def amount_of(recipe: Recipe) -> str:
    """`70 %`, `3.5 bits`: the amount of damage after "at"."""
    return recipe.allocation.budget_unit.short(recipe.allocation.target)


def written(recipe: Recipe) -> str:
    """The same as its allocation is typed, or in words where no line says it: `owl m=7:0.7 with refit`."""
    request = recipe.allocation
    return called(recipe) if request.base.by_hand else f"{write(request)}{_treated(recipe)}"


def _treated(recipe: Recipe) -> str:
    by = "" if recipe.pruner == DEFAULT_PRUNER else f" by {PRUNERS[recipe.pruner].label}"
    return by + (f" with {recipe.repaired}" if recipe.repair else "")


def _named(recipe: Recipe) -> str:
    """The name that charts and tables give its allocation; uniform in the middle of words."""
    return recipe_names.long(recipe.allocation).replace("Uniform", "uniform", 1)


def on_zeros(sizes: Mapping[str, float], perplexities: Mapping[str, float]) -> str:
    """Sentence: the bytes of `sizes` that zeros save beside a dense file of few bits, and perplexities where known."""
    zeros = next(name for name in sizes if name != DENSE)
    size, few = sizes[zeros], sizes[SMALLEST]
    if zeros not in (MASKED, PATTERN):
        return f"Linears in {zeros} take {per_cent(size / few)} of the bytes of a dense {SMALLEST} file."
    if few >= size:
        return f"These zeros take {per_cent(1 - size / few)} fewer bytes than a dense {SMALLEST} file would."
    text = f"A dense {SMALLEST} file takes {per_cent(1 - few / size)} fewer bytes than these zeros"
    if {zeros, SMALLEST} <= perplexities.keys():
        ours, theirs = perplexities[zeros], perplexities[SMALLEST]
        text += f", and its perplexity is {digits(theirs, 4)} against {digits(ours, 4)}"
        if theirs > ours:
            return f"{text}: the zeros cost less quality."
    return f"{text}: prune for research, or combine both."
