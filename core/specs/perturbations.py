"""What is done to the output of a layer, and how it is written."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from core.specs.base import Spec, checked, number
from core.specs.errors import UserError
from core.specs.pruners import Pruner

Positions = Literal["after_first", "all"]


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
