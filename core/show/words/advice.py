"""Answers of a search, and the worth of zeros in bytes, in words."""

from collections.abc import Mapping

from core.base import digits, per_cent
from core.methods import DEFAULT_PRUNER, PRUNERS
from core.plan.sizes import DENSE, MASKED, PATTERN, SMALLEST
from core.requests import Recipe, recipe_names
from core.requests.grammar import write
from core.results import Best
from core.show.words import perplexity_sentences


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
    target = best.answer.allocation.target
    return f"; of the targets tried, {per_cent(target)} is the largest at which uniform itself kept within the loss"


def loss(best: Best) -> str:
    """One sentence: the rise of perplexity over the dense model's, and the rise that was allowed."""
    text = perplexity_sentences.sentence(
        called(best.answer, target=False), "the dense model", best.against(best.answer, None)
    )
    if best.spec.max_loss is None:
        return f"At {per_cent(best.answer.allocation.target)}, {text}."
    over = best.lost.value - 100 * best.spec.max_loss
    exceeded = f", which this exceeds by {over:.2g} points" if over > 0 else ""
    allowed = f"{per_cent(best.spec.max_loss)} were allowed{exceeded}"
    return f"At {per_cent(best.answer.allocation.target)}, {text}; {allowed}."


def called(recipe: Recipe, target: bool = True) -> str:
    """A setting as the answer's sentences call it, by a pruner that is not usual: `OWL, m 7 at 70 % with refit`."""
    at = f" at {per_cent(recipe.allocation.target)}" if target else ""
    return f"{_named(recipe)}{at}{_treated(recipe)}"


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
