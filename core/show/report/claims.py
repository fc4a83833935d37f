"""Claims of the literature, each tested on both committed model families: the first section of Evidence."""

from functools import cache
from typing import NamedTuple

from pydantic import TypeAdapter

from core.base import capital
from core.results import Outcome
from core.show.figures import Chart, evaluation
from core.show.report.questions import bench_file
from core.show.words.gain_sentences import FACTOR, RANK, SHARE, value

PROFILES = {"SmolLM2": "6e78df68bb8ecfc5", "Gemma 3": "40a79e32dca501bb"}
CLAIMED = bench_file("claims").with_suffix(".json")  # made by `python -m tests.bench.claims`
PAPER = "paper"  # as a link names the section
TITLE = "Do six published claims hold?"
RULE = (
    "A claim holds where every number behind it lies on the claimed side for certain, and does not hold where any lies "
    "on the other side for certain (95 % intervals over sequences, Holm's correction). All else is not decided."
)


NOT_MEASURED = "not measured"


class Measured(NamedTuple):
    """A claim tested on a model, what that rests on, and the line that measures it again."""

    tested: Outcome
    protocol: str
    command: str


class Claim(NamedTuple):
    """A claim, its paper, and its test here."""

    title: str
    paper: str
    about: str
    says: str  # its numbers in a sentence, by the names of rows
    unit: str

    @property
    def verdicts(self) -> list[str]:
        """A word for each model."""
        return [each.tested.verdict if each else NOT_MEASURED for each in answers(self).values()]

    @property
    def sentences(self) -> list[str]:
        """A verdict with its numbers for each model."""
        return [f"{model}: {self.sentence(each and each.tested)}." for model, each in answers(self).items()]

    def sentence(self, outcome: Outcome | None) -> str:
        """Measured values of a model, its verdict first."""
        if outcome is None:
            return NOT_MEASURED
        [n] = {each.n for each in outcome.rows.values()}
        return f"{outcome.verdict}. {capital(self.says.format_map(self.numbers(outcome)))} (n = {n})"

    def numbers(self, outcome: Outcome) -> dict[str, str]:
        """Numbers by the names of their rows, and how many layers amplify."""
        return {name: value(each, self.unit) for name, each in outcome.rows.items()} | outcome.counts

    @cache  # noqa: B019 - the claims stand in a table and live as long as the process
    def chart(self) -> Chart:
        """Every number of both models with its interval."""
        tested = [(model, each.tested.rows) for model, each in answers(self).items() if each]
        rows = {f"{model}, {name}": row for model, rows in tested for name, row in rows.items()}
        return evaluation.measured(rows, self.unit, self.title, " ".join(self.sentences))


MEASURED = TypeAdapter(dict[str, dict[str, Measured | None]])  # by a claim's title, then by model


@cache
def answers(claim: Claim) -> dict[str, Measured | None]:
    """Model -> what was measured of it; None where it was not."""
    return MEASURED.validate_json(CLAIMED.read_bytes())[claim.title]


SEED = "Jing et al. 2026, arXiv 2606.15161"
CLAIMS = {
    "order": Claim(
        "Early layers amplify damage, later layers absorb it",
        SEED,
        "Gain of the first third of the layers and of the rest, for noise of size 0.3 and for Wanda's damage at 70 %.",
        "in the first third of the layers the gain is {noise, first third} for noise and {pruning, first third} for "
        "pruning damage, in later layers {noise, later layers} and {pruning, later layers}",
        FACTOR,
    ),
    "small": Claim(
        "Every layer amplifies small perturbations",
        SEED,
        "Gain of every layer for noise of size 0.01 that spares the first token.",
        "{layers} ({mean layer} in the mean); with noise on the first token too, {layers, first token too} ("
        "{first token too})",
        FACTOR,
    ),
    "growth": Claim(
        "Error grows through the layers",
        "QEP and other work on quantisation, arXiv 2504.09629",
        "All layers in 4 bits (Q4_0): drift at the last layer ÷ drift at the first. Beside it one layer in 4 bits "
        "alone: drift at the last layer ÷ drift where it arises, which the verdict leaves out.",
        "with all layers in 4 bits the drift grows {all layers} from the first layer to the last; the error of one "
        "layer alone ends at {one layer alone}",
        FACTOR,
    ),
    "repair": Claim(
        "The final norm makes up 30 % of a lost head",
        "Rushing and Nanda 2024, arXiv 2402.15390",
        "One head at a time takes its output from another sequence. Share of its direct effect on the right next token "
        "that the final norm's new scale, and the later layers, give back. The paper says up to 30 % for the norm.",
        "the norm gives back {final norm} of the direct effect, later layers {later layers}",
        SHARE,
    ),
    "suffering": Claim(
        "Layers that amplify suffer more from pruning",
        SEED,
        "Rank correlation, over the layers, of gain and of the harm of pruning that layer alone (Wanda, 70 %; KL). The "
        "verdict is of noise's gain.",
        "harm and the gain of noise have a rank correlation of {gain of noise}, harm and the gain of its own damage "
        "{gain of its own damage}",
        RANK,
    ),
    "sparing": Claim(
        "Sparing layers that amplify lowers perplexity",
        SEED,
        "Perplexity with the paper's correction, as we rebuilt it, ÷ without it at 70 % zeros, over calibration "
        "seeds. The verdict is of the mean.",
        "with the correction the perplexity is {mean} that without it",
        FACTOR,
    ),
}


# --- what surprised ------------------------------------------------------------------------------------------------

SURPRISES = (  # of each claim by its key, a model's numbers by the names of their rows
    "Noise of 1 % of the stream meets opposite answers: in SmolLM2, {small[SmolLM2][layers]} (gain "
    "{small[SmolLM2][mean layer]} in the mean); in Gemma 3, {small[Gemma 3][layers]} ({small[Gemma 3][mean layer]}).",
    "Layers that amplify suffer more from pruning in SmolLM2 (rank correlation {suffering[SmolLM2][gain of noise]}), "
    "yet sparing them makes perplexity {sparing[SmolLM2][mean]} as high.",
    "When a head is lost, later layers give back {repair[SmolLM2][later layers]} of its direct effect in SmolLM2, "
    "{repair[Gemma 3][later layers]} in Gemma 3; the final norm {repair[SmolLM2][final norm]} and "
    "{repair[Gemma 3][final norm]}.",
)
LINK = "Do published claims hold? Noise of 1 %: here {small[SmolLM2][layers]}; in Gemma 3 {small[Gemma 3][layers]}"


def with_numbers(says: str) -> str:
    """A sentence with its numbers in place of their names; other claims are not looked at."""
    claims = {key: claim for key, claim in CLAIMS.items() if f"{{{key}[" in says}
    return says.format(
        **{
            key: {model: claim.numbers(each.tested) for model, each in answers(claim).items() if each}
            for key, claim in claims.items()
        }
    )
