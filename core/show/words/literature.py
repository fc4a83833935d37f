"""Claims of the literature, tested: a verdict with its numbers for each model."""

from core.base import Estimate, capital, gain, ratio
from core.methods import BLOCKS
from core.plan.gains import log_gain
from core.results.claims import Outcome, intervals
from core.results.comparison import percent_text
from core.store import Profile

NOT_MEASURED = "not measured"
FACTOR, RANK, SHARE = "factor", "rank correlation", "share"


def value(estimate: Estimate, unit: str) -> str:
    """A number with its interval: `0.67× [0.65, 0.70]`, `0.28 [0.13, 0.42]`, `60 % [55, 65]`."""
    if unit == SHARE:
        return percent_text(estimate.map(lambda share: 100 * share), "")
    alone = gain(estimate.value) if unit == FACTOR else f"{estimate.value:.2f}"
    return f"{alone} [{ratio(estimate.low)}, {ratio(estimate.high)}]"


def numbers(outcome: Outcome, unit: str) -> dict[str, str]:
    """Its numbers by the names of their rows, and how many layers amplify."""
    return {name: value(each, unit) for name, each in outcome.rows.items()} | outcome.counts


def sentence(model: str, outcome: Outcome | None, says: str, unit: str) -> str:
    """Sentence: what was measured on a model, its verdict first.

    Args:
        says: a sentence with names of `numbers` in braces.
    """
    if outcome is None:
        return f"{model}: {NOT_MEASURED}."
    [n] = {each.n for each in outcome.rows.values()}
    return f"{model}: {outcome.verdict}. {capital(says.format_map(numbers(outcome, unit)))} (n = {n})."


def parts(profile: Profile) -> str:
    """Sentence: what is left at the end of losing attention, and of losing the MLP, in the mean over layers."""
    logs = {part: log_gain(profile.seeds(f"skip:{part}"))[:-1].mean(0) for part in BLOCKS}
    attention, mlp = (value(each, FACTOR) for each in intervals(logs).values())
    return f"Of what a layer loses without its attention, {attention} is left at the end; without its MLP, {mlp}."
