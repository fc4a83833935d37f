"""What can be asked: frozen, complete, self-checking values. A spec is its own cache key.

A *request* is what a person typed; the worker resolves it to a *spec*, which names models and texts by their content.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.errors import UserError
from core.words import model_name, text_name

Positions = Literal["after_first", "all"]
Pruner = Literal["magnitude", "wanda", "sparsegpt"]
Dtype = Literal["float32", "bfloat16", "float16"]

SMALLEST_HALF_PRECISION_SIZE = 0.05
OUTLIER_THRESHOLDS = tuple(2 + step / 2 for step in range(21))  # M of OWL: 2 to 12
Asked = TypeVar("Asked", bound="Spec")


class Spec(BaseModel):
    """A frozen value that refuses unknown fields and hashes to a key."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @property
    def key(self) -> str:
        """First 16 hex digits of the SHA-256 of the canonical JSON, which names the class too."""
        return key_of(type(self), self.model_dump(mode="json"))


def key_of(form: type[Spec], content: dict) -> str:
    """The key of a spec from its JSON, whichever version of the program wrote it."""
    text = json.dumps({"is": form.__name__, **content}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def number(value: float) -> str:
    """The shortest text that reads back as the same number: `0.3`, `1`, `1e-07`."""
    return repr(float(value)).removesuffix(".0")


# --- perturbations -------------------------------------------------------------------------------------------------


class Gaussian(Spec):
    """`h' = h + size * ||h|| * z / ||z||` per token, z standard normal."""

    kind: Literal["gaussian"] = "gaussian"
    size: float = Field(gt=0, description="relative size ||h' - h|| / ||h||")
    positions: Positions = "after_first"

    @property
    def name(self) -> str:
        return f"gaussian:{number(self.size)}{_suffix(self.positions)}"


class Covariance(Spec):
    """As `Gaussian`, with z drawn from the empirical covariance of the layer's own output."""

    kind: Literal["covariance"] = "covariance"
    size: float = Field(gt=0)
    positions: Positions = "after_first"

    @property
    def name(self) -> str:
        return f"covariance:{number(self.size)}{_suffix(self.positions)}"


class Residual(Spec):
    """The real thing: the layer replaced by its pruned self on the clean input, at every token."""

    kind: Literal["residual"] = "residual"
    pruner: Pruner
    sparsity: float = Field(ge=0, lt=1)

    @property
    def name(self) -> str:
        return f"residual:{self.pruner}:{number(self.sparsity)}"


class ResidualLinear(Spec):
    """As `Residual`, with one of the layer's linears pruned and the others dense."""

    kind: Literal["residual_linear"] = "residual_linear"
    pruner: Pruner
    sparsity: float = Field(ge=0, lt=1)
    linear: str = Field(description="name of the linear inside its layer, as in mlp.down_proj; `each`: one by one")

    @property
    def name(self) -> str:
        return f"residual_linear:{self.pruner}:{number(self.sparsity)}:{self.linear}"


class ResidualRescaled(Spec):
    """The direction of a real residual at a given relative size; a negative size flips it."""

    kind: Literal["residual_rescaled"] = "residual_rescaled"
    pruner: Pruner
    sparsity: float = Field(gt=0, lt=1)
    size: float
    positions: Positions = "after_first"

    @model_validator(mode="after")
    def _has_size(self) -> Self:
        if self.size == 0:
            raise ValueError("size 0 perturbs nothing; give a positive or negative size")
        return self

    @property
    def name(self) -> str:
        return f"residual_rescaled:{self.pruner}:{number(self.sparsity)}:{number(self.size)}{_suffix(self.positions)}"


class Skip(Spec):
    """The layer left out: its input is passed on, at every token."""

    kind: Literal["skip"] = "skip"

    @property
    def name(self) -> str:
        return "skip"


EACH = "each"  # linear: stands for every linear of the model, one measurement for each
Perturbation = Annotated[
    Gaussian | Covariance | Residual | ResidualLinear | ResidualRescaled | Skip, Field(discriminator="kind")
]
PRUNED = (Residual, ResidualLinear, ResidualRescaled)
NOISE = (Gaussian, Covariance)
FORMS = {
    "gaussian": (Gaussian, ("size",)),
    "covariance": (Covariance, ("size",)),
    "residual": (Residual, ("pruner", "sparsity")),
    "residual_linear": (ResidualLinear, ("pruner", "sparsity", "linear")),
    "residual_rescaled": (ResidualRescaled, ("pruner", "sparsity", "size")),
    "skip": (Skip, ()),
}


def _suffix(positions: Positions) -> str:
    return "" if positions == "after_first" else f"@{positions}"


def perturbation(text: str, positions: Positions = "after_first") -> Perturbation:
    """Read `gaussian:0.3`, `gaussian:0.3@all`, `residual:wanda:0.7`, `residual_rescaled:wanda:0.7:-0.3`, `skip`.

    `positions` is used where the text does not say and the kind has a choice: residuals and skip change every token.

    Raises:
        UserError: an unknown kind, a missing or superfluous part, a number out of range.
    """
    body, at, where = text.strip().partition("@")
    kind, *parts = body.split(":")
    if kind not in FORMS:
        raise UserError(f"there is no perturbation {kind!r}: known are {', '.join(FORMS)} (as in gaussian:0.3)")
    form, fields = FORMS[kind]
    if len(parts) != len(fields):
        shape = ":".join((kind, *(f"<{name}>" for name in fields)))
        raise UserError(f"{text!r} is not a perturbation: write {shape}")
    values: dict[str, str] = dict(zip(fields, parts, strict=True))
    if "positions" in form.model_fields:
        values["positions"] = where if at else positions
    elif at:
        raise UserError(f"{text!r}: {kind} changes every token by its nature; leave @{where} out")
    return checked(form, **values)


def checked(form: type[Asked], /, **values: object) -> Asked:
    """Build a spec, turning pydantic's report into one sentence.

    Raises:
        UserError: the first thing that was wrong.
    """
    try:
        return form(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        message = message[:1].lower() + message[1:]
        given = f" (got {first['input']!r})" if where else ""
        raise UserError(f"{where}: {message}{given}" if where else message) from error


# --- models and texts ----------------------------------------------------------------------------------------------


class ModelSpec(Spec):
    """A model by content: the hash of its files or its Hub commit, never a path."""

    content: str = Field(description="SHA-256 over the files, or repository@commit")
    initialised: int | None = Field(None, description="seed of a random initialisation that replaces the weights")
    dtype: Dtype = "float32"


class TextSpec(Spec):
    """Token windows by content: which bytes, which tokenizer, where each window starts."""

    content: str = Field(description="SHA-256 of the documents used")
    tokenizer: str = Field(description="SHA-256 of the tokenizer")
    packing: Literal["joined", "document"]
    bos: Literal["protocol", "every"]
    length: int = Field(ge=2, description="tokens per window")
    windows: tuple[tuple[int, int], ...] = Field(description="(document, first token) of each window")

    @property
    def sequences(self) -> int:
        return len(self.windows)


class WindowRequest(Spec):
    """Which tokens to read."""

    source: str = Field("demo", description="demo, demo:evaluation, file:PATH, or a Hub dataset")
    documents: tuple[int, int] | None = Field(None, description="first and last document, counted from 0, inclusive")
    sequences: int = Field(8, ge=1)
    length: int = Field(64, ge=8, description="tokens per sequence")
    seed: int = Field(0, ge=0, description="draws the windows")
    packing: Literal["joined", "document"] | None = Field(None, description="None: as suits the source")
    bos: Literal["protocol", "every"] = "protocol"

    @model_validator(mode="after")
    def _documents_ordered(self) -> Self:
        if self.documents and not 0 <= self.documents[0] <= self.documents[1]:
            raise ValueError(f"documents {self.documents[0]}-{self.documents[1]}: the first must not exceed the last")
        return self


# --- what is measured ----------------------------------------------------------------------------------------------


class Measurement(Spec):
    """One perturbation with one noise seed; kinds without noise have seed 0."""

    perturbation: Perturbation
    seed: int = Field(0, ge=0)

    @property
    def name(self) -> str:
        return self.perturbation.name + (f" seed {self.seed}" if self.seed else "")


class PerturbedSpec(Spec):
    """One stored unit: one measurement at every injection layer, on every sequence."""

    model: ModelSpec
    text: TextSpec
    measurement: Measurement
    harm_stride: int = Field(4, ge=1, description="harm is read at tokens 1, 1 + stride, 1 + 2 stride, ...")
    method: Literal[1] = 1


class ActivationSpec(Spec):
    """What the clean run shows: residual norms, block influence, loss."""

    model: ModelSpec
    text: TextSpec
    method: Literal[1] = 1


class WeightSpec(Spec):
    """What the weights alone tell: how many there are, and how heavy-tailed their spectra."""

    model: ModelSpec
    method: Literal[1] = 1


class ScoreSpec(Spec):
    """Wanda scores of the dense model on a text: outliers, mean, median."""

    model: ModelSpec
    text: TextSpec
    method: Literal[1] = 1


class FloorSpec(Spec):
    """Final drift after rounding-sized noise: below ten times this, a drift says nothing."""

    model: ModelSpec
    text: TextSpec
    method: Literal[1] = 1


class ProfileSpec(Spec):
    """A view over units: everything measured of one model on one text."""

    model: ModelSpec
    text: TextSpec
    measurements: tuple[Measurement, ...]
    prunable: bool = Field(False, description="every layer's matrices are linears, so that sparsities mean something")
    harm_stride: int = 4

    @property
    def activation(self) -> ActivationSpec:
        return ActivationSpec(model=self.model, text=self.text)

    @property
    def floor(self) -> FloorSpec:
        return FloorSpec(model=self.model, text=self.text)

    @property
    def weights(self) -> WeightSpec:
        return WeightSpec(model=self.model)

    @property
    def scores(self) -> ScoreSpec:
        return ScoreSpec(model=self.model, text=self.text)

    def unit(self, measurement: Measurement) -> PerturbedSpec:
        return PerturbedSpec(model=self.model, text=self.text, measurement=measurement, harm_stride=self.harm_stride)


class MeasureRequest(Spec):
    """What a person asks for: a model, a text and a list of perturbations."""

    model: str = Field("demo", description="demo, a Hub id, a folder, a .gguf file; random:<any of these>")
    revision: str | None = Field(None, description="branch, tag or commit of a Hub model")
    dtype: Dtype = "float32"
    text: WindowRequest = WindowRequest()
    measurements: tuple[Measurement, ...] = Field(min_length=1)

    @property
    def title(self) -> str:
        return f"measurement of {model_name(self.model)} on {text_name(self.text.source)}"

    @model_validator(mode="after")
    def _resolvable(self) -> Self:
        if self.dtype == "float32":
            return self
        for asked in self.measurements:
            if abs(getattr(asked.perturbation, "size", 1.0)) < SMALLEST_HALF_PRECISION_SIZE:
                raise ValueError(
                    f"{asked.perturbation.name} drowns in the rounding of {self.dtype}: use float32, "
                    f"or a size of {SMALLEST_HALF_PRECISION_SIZE} or more"
                )
        return self


def measurements(perturbations: Iterable[Perturbation], seeds: Iterable[int] = (0,)) -> tuple[Measurement, ...]:
    """Every perturbation with every seed, once each; kinds without noise are measured once."""
    return tuple(
        dict.fromkeys(
            Measurement(perturbation=asked, seed=seed)
            for asked in perturbations
            for seed in (tuple(seeds) if isinstance(asked, NOISE) else (0,))
        )
    )


def expanded(asked: Iterable[Measurement], linears: Iterable[str]) -> tuple[Measurement, ...]:
    """The same measurements with `each` linear replaced by every one of the names, in their order."""
    names = tuple(linears)
    found: list[Measurement] = []
    for one in asked:
        each = names if getattr(one.perturbation, "linear", None) == EACH else (None,)
        for name in each:
            kind = one.perturbation if name is None else one.perturbation.model_copy(update={"linear": name})
            found.append(one.model_copy(update={"perturbation": kind}))
    return tuple(dict.fromkeys(found))
