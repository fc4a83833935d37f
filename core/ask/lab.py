"""What the lab is asked: one sentence with one layer disturbed, or a text continued by a pruned model."""

from typing import Self

from pydantic import Field, model_validator

from core.ask.inputs import Dtype, OfModel
from core.ask.measurements import EACH
from core.ask.perturbations import perturbation
from core.ask.settings import Setting, read_setting
from core.base.errors import UserError
from core.base.formats import either
from core.base.spec import Spec, added, checked
from core.kinds import Perturbation
from core.kinds.treatments import PRUNERS

MOST_TOKENS = 64  # of a sentence
MOST_CHARACTERS = 2000  # of a sentence or a prompt: more cannot be meant
MOST_WRITTEN = 128  # tokens that are written after a prompt
WORDS = 5  # next words that are told after each token

# the parameters that were best at each target on held-out text (tests/bench/studies); below 40 % none were tuned
TUNED = {
    "owl": {0.4: "m=7 lam=0.08", 0.5: "m=7 lam=0.02", 0.6: "m=10 lam=0.1", 0.7: "m=7 lam=0.2", 0.8: "m=10 lam=0.2"},
    "response": {
        0.4: "objective=kl", 0.5: "objective=drift", 0.6: "objective=drift", 0.7: "objective=kl", 0.8: "objective=kl"
    },
}  # fmt: skip
ALLOCATIONS = ("uniform", "owl", "response")  # whose texts are committed
SPARSITIES = tuple(step / 10 for step in range(9))
REMOVED = (0.7, 0.5, 0.6, 0.8, 0.3, 0.9)  # shares of a layer's weights that the lab's page removes, the usual first


class Asked(Spec):
    """A question about a model."""

    model: str = "demo"

    @property
    def of_model(self) -> OfModel:
        """The model, as it is loaded."""
        return OfModel(model=self.model)


class Question(Asked):
    """A sentence and what is done to it, at every layer in turn."""

    sentence: str
    perturbation: Perturbation
    token: int | None = Field(
        None, ge=0, description="the only token that is perturbed; None: as the perturbation says"
    )

    @model_validator(mode="after")
    def _can_be_done(self) -> Self:
        _check_text("sentence", self.sentence)
        if getattr(self.perturbation, "linear", None) == EACH:
            raise ValueError("the lab perturbs one thing at a time: name one linear in place of each")
        if self.perturbation.compares:
            raise ValueError("the lab runs one model: compare two checkpoints with `python -m core compare A B`")
        if "second_moment" in self.perturbation.statistics:
            raise ValueError("the lab prunes by magnitude or wanda: others take too long for an answer while you wait")
        if self.token is not None and getattr(self.perturbation, "positions", "all") != "all":
            raise ValueError("a single token is perturbed wherever it stands: ask for positions all")
        return self


class Prompt(Asked):
    """A text to be continued by the dense model and by a pruned one."""

    prompt: str
    setting: Setting
    tokens: int = Field(40, ge=1, le=MOST_WRITTEN, description="most tokens to write")
    revision: str | None = added(None, "branch, tag or commit of a Hub model")
    dtype: Dtype = added("float32", "in which the model runs")
    profile: str = added("demo", "key of the profile that allocations look at")

    @property
    def of_model(self) -> OfModel:
        return OfModel(model=self.model, revision=self.revision, dtype=self.dtype)

    @model_validator(mode="after")
    def _can_be_written(self) -> Self:
        _check_text("prompt", self.prompt)
        setting = self.setting
        if setting.repair or setting.pattern or not PRUNERS[setting.pruner].keeps_weights:
            fast = either(name for name, row in PRUNERS.items() if row.keeps_weights)
            raise ValueError(
                f"the text is written while you wait by {fast}, without repair or pattern: choose one of these"
            )
        return self


def question(sentence: str, word: str, first: bool = False, token: int | None = None) -> Question:
    """A question as the lab's page asks it.

    Args:
        word: the perturbation as it is written, `gaussian:0.3`.
        first: also perturb the first token, where the perturbation leaves a choice.
        token: perturb this token alone, the first one too where it is 0.

    Raises:
        UserError: an empty sentence, an unknown perturbation, or one that the lab cannot do.
    """
    asked = perturbation(word, "all" if first else "after_first")
    if token is not None and "positions" in type(asked).model_fields:
        asked = asked.model_copy(update={"positions": "all"})
    return checked(Question, sentence=sentence, perturbation=asked, token=token)


def prompt(text: str, allocation: str, sparsity: float, tokens: int = 40) -> Prompt:
    """A continuation as the lab's page asks for it.

    Args:
        allocation: `uniform`, `owl` or `response` (with their parameters of the nearest target they were tuned at), or
            another as the grammar writes it, `depth_ramp beta=0.01`.

    Raises:
        UserError: an empty prompt, an unknown allocation, a sparsity that cannot be, or a pruner that takes too long.
    """
    known = TUNED.get(allocation)
    more = f" {known[min(known, key=lambda target: abs(target - sparsity))]}" if known else ""
    written = read_setting(f"{allocation}{more}:{sparsity:g}")
    return checked(Prompt, prompt=text, setting=written, tokens=tokens)


def check_layer(layer: int, layers: int) -> None:
    """Refuse a layer that the model has not.

    Raises:
        UserError: which it has.
    """
    if not 0 <= layer < layers:
        raise UserError(f"there is no layer {layer}: this model has layers 0 to {layers - 1}")


def _check_text(what: str, text: str) -> None:
    if not text.strip():
        raise ValueError(f"the {what} is empty: type a few words")
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"the {what} has {len(text):,} characters: shorten it to {MOST_CHARACTERS:,}")
