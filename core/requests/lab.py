"""Requests of the lab: a sentence with one layer disturbed, or a text that a damaged model writes."""

import json
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field

from core.base import Spec, UserError, checked
from core.methods import Perturbation
from core.requests.measurements import stands_for
from core.requests.perturbations import perturbation

MOST_TOKENS = 64  # of a sentence
MOST_CHARACTERS = 2000  # of a sentence or a prompt: more cannot be meant
MOST_WRITTEN = 128  # tokens that are written after a prompt
WHILE_WRITING = ("gaussian", "gaussian_part", "residual", "residual_part", "skip", "skip_part")
WORDS = 5  # likeliest next words listed after each token
REMOVED = (0.7, 0.5, 0.6, 0.8, 0.3, 0.9)  # shares of a layer's weights that the lab's page removes, the default first

TaskKind = Literal["row", "lens", "scene", "talk"]


class Question(Spec):
    """A sentence, and a perturbation applied at every layer in turn."""

    model: str = "demo"
    sentence: str
    perturbation: Perturbation
    token: int | None = Field(
        None, ge=0, description="the only token that is perturbed; None: as the perturbation says"
    )

    def check(self) -> None:
        _check_text("sentence", self.sentence)
        if stands_for(self.perturbation):
            raise ValueError("the lab perturbs one thing at a time: name one linear or head in place of each")
        if self.perturbation.compares:
            raise ValueError("the lab runs one model: compare two checkpoints with `python -m core compare A B`")
        if self.perturbation.solves:
            raise ValueError("the lab prunes by magnitude or wanda: others take too long for an answer while you wait")
        if self.token is not None and getattr(self.perturbation, "positions", "all") != "all":
            raise ValueError("a single token is perturbed wherever it stands: ask for positions all")


def _while_writing(word: str) -> str:
    """Normalise the name of a damage; empty for none."""
    if not word:
        return ""
    damage = perturbation(word)
    if damage.kind not in WHILE_WRITING or stands_for(damage) or damage.solves:
        raise ValueError(
            "while a model writes, the lab can add gaussian noise, prune by magnitude or wanda, or skip, at a layer or "
            "one part of it"
        )
    return damage.name


class Turn(NamedTuple):
    """The damage from one token until the next turn."""

    start: Annotated[int, Field(ge=0, lt=MOST_WRITTEN)]  # 0: the first token that is written
    layer: Annotated[int, Field(ge=0)]  # the number of layers: all of them
    word: Annotated[str, AfterValidator(_while_writing)]  # a perturbation as it is written; empty: none


class Talk(Spec):
    """A prompt that the dense model and a damaged one continue side by side, while the damage changes."""

    model: str = "demo"
    prompt: str
    turns: tuple[Turn, ...] = Field((), max_length=MOST_WRITTEN, description="ascending in their first token")
    seed: int | None = Field(None, ge=0, lt=2**32, description="of sampled words, and noise; None: the likeliest word")
    start: int = Field(0, ge=0, lt=MOST_WRITTEN, description="the first token that is told; those before are known")
    tokens: int = Field(MOST_WRITTEN, ge=1, le=MOST_WRITTEN, description="most tokens to write, those known included")

    def check(self) -> None:
        _check_text("prompt", self.prompt)
        if any(after.start <= before.start for before, after in pairwise(self.turns)):
            raise ValueError("each change of the damage must come at a later token than the one before")

    @property
    def is_first(self) -> bool:
        """True if the first token that is told is the first under its damage."""
        return self.start == (self.turns[-1][0] if self.turns else 0)

    def damage(self, at: int) -> Turn | None:
        """Damage in force at a token, whenever it began; None if there is none."""
        last = next((turn for turn in reversed(self.turns) if turn.start <= at), None)
        return last._replace(start=0) if last and last.word else None

    def agrees(self, other: "Talk", at: int) -> bool:
        """True if both write a token after the same words, in the same way and under the same damage."""
        return (self.prompt, self.seed, self.damage(at)) == (other.prompt, other.seed, other.damage(at))


class Task(NamedTuple):
    """One question to the lab's process; equal tasks have equal answers."""

    kind: TaskKind
    request: Question | Talk
    layer: int | None = None
    listener: str = ""  # identifies the talk to continue


def talk(text: str) -> Talk:
    """Read the JSON of a link, an object of a talk's fields; the model is the bundled one, whatever a link says.

    Raises:
        UserError: no JSON object, or the first invalid value.
    """
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise UserError("the link does not tell what to write: give a JSON object with a prompt and turns")
    return checked(Talk, **fields | {"model": "demo"})


def question(sentence: str, word: str, first: bool = False, token: int | None = None) -> Question:
    """The question that the lab's page puts.

    Args:
        word: the perturbation's name, `gaussian:0.3`.
        first: also perturb the first token, where the perturbation leaves a choice.
        token: perturb this token alone, even the first.

    Raises:
        UserError: an empty sentence, an unknown perturbation, or one that the lab cannot do.
    """
    damage = perturbation(word, "all" if first else "after_first")
    if token is not None and "positions" in type(damage).model_fields:
        damage = damage.replace(positions="all")
    return checked(Question, sentence=sentence, perturbation=damage, token=token)


def layers_of(turn: Turn, layers: int) -> range:
    """The layers, of so many, that a turn damages.

    Raises:
        UserError: no such layer.
    """
    if turn.layer == layers:
        return range(layers)
    check_layer(turn.layer, layers)
    return range(turn.layer, turn.layer + 1)


def check_layer(layer: int, layers: int) -> None:
    """Refuse a layer that the model lacks.

    Raises:
        UserError: names the layers it has.
    """
    if not 0 <= layer < layers:
        raise UserError(f"there is no layer {layer}: this model has layers 0 to {layers - 1}")


def _check_text(what: str, text: str) -> None:
    if not text.strip():
        raise ValueError(f"the {what} is empty: type a few words")
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"the {what} has {len(text):,} characters: shorten it to {MOST_CHARACTERS:,}")
