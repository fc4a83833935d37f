"""One way to prune a model, and the exact recipe that it resolves to."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from core.base import Spec, checked, either, optional_field, several
from core.methods import (
    CHAINS,
    DEFAULT_PRUNER,
    REPAIRS,
    SPARSIFIERS,
    ZEROS,
    Pruner,
    Repair,
    Treatment,
    Uniform,
    default_pruner,
    pruners_counting,
)
from core.methods import pattern as read_pattern
from core.requests import grammar
from core.requests.allocations import AllocationRequest
from core.requests.inputs import MOST_WINDOWS
from core.requests.parsing import from_text

BUDGETS = {"recover_minutes", "recover_tokens"}
RECOVERY = (*sorted(BUDGETS), "recover_until", "recover_norms", "recover_dtype", "recover_text")  # options of distill
TRAINED = ("pruner_windows", *RECOVERY)  # and of the pruner before it
# word of the grammar -> field that a recipe adds to its allocation; `by`, as `response pruner=wanda` names the curves
WORDS = {
    "by": "pruner",
    "repair": "repair",
    "pattern": "pattern",
    "sequential": "true_sequential",
    "calibration_seed": "calibration_seed",
    **{name: name for name in TRAINED},
}
Products = Literal["float32", "bfloat16"]
PRODUCTS = "precision while distill trains: bfloat16 is faster on processors that support it, far slower on others"


class Repairs(Spec):
    """Repair of the weights that stay. A repair that trains the whole model has a budget of time or tokens."""

    repair: Repair | None = optional_field(None, "what is done to the weights that stay")
    recover_minutes: float | None = optional_field(
        None, "minutes that distill may train", title="Minutes of training", ge=1e-6, le=10**5
    )
    recover_tokens: int | None = optional_field(
        None, "tokens that it may train on, in place of minutes", title="Tokens, not minutes", ge=1, le=10**12
    )
    recover_until: int = optional_field(
        0,
        "tokens after which it ends with its best weights, at once where a cancelled one had its best there; 0: never",
        title="End after tokens",
        ge=0,
        le=10**12,
    )
    recover_norms: bool = optional_field(False, "it trains norms and biases too")
    recover_dtype: Products = optional_field("float32", PRODUCTS, title="bfloat16")
    recover_text: Literal["calibration", "own"] = optional_field(
        "calibration",
        "that it trains on: own is what the dense model writes from the first tokens of each window",
        title="Own text",
    )
    pruner_windows: int = optional_field(
        0,
        "how many calibration windows the pruner reads, of those not held back; 0 for all; distill trains on all",
        title="Windows for the pruner",
        ge=0,
        le=MOST_WINDOWS,
    )

    def check(self) -> None:
        options = self.model_dump(include={*RECOVERY}).keys()
        if len(options & BUDGETS) != 1 if self.distills else options:
            raise ValueError(
                "the repair distill trains for a budget, recover_minutes or recover_tokens: give one of the two with "
                "it, and neither without it"
            )
        if self.recover_tokens and self.recover_until > self.recover_tokens:
            raise ValueError("a training ends with its budget: give recover_until no more tokens than recover_tokens")

    @property
    def treatment(self) -> Treatment:
        """Its pruner and repair together."""
        return Treatment(self.pruner, self.repair)  # type: ignore[attr-defined]  # of both subclasses

    @property
    def distills(self) -> bool:
        return bool(self.treatment.by("model"))

    @property
    def repair_options(self) -> str:
        """Words for the budget of a repair that trains and for options off their defaults; empty if there are none."""
        words = {
            f"{self.recover_tokens or 0:,} tokens": self.recover_tokens,
            f"{self.recover_minutes or 0:g} min": self.recover_minutes,
            f"ended after {self.recover_until:,} tokens": self.recover_until,
            "norms": self.recover_norms,
            "bfloat16": self.recover_dtype == "bfloat16",
            "own text": self.recover_text == "own",
            f"the pruner reads {several(self.pruner_windows, 'window')}": self.pruner_windows,
        }
        return ", ".join(word for word, holds in words.items() if holds)

    @property
    def repaired(self) -> str:
        """Words for the repairs and their options; empty if there are none."""
        return ", ".join(filter(None, [CHAINS.get(self.repair), self.repair_options]))


class Recipe(Repairs):
    """One way to prune a model: allocation, pruner, repair, pattern, and the seed of the calibration windows."""

    identity: ClassVar[str] = "Setting"

    pruner: Pruner = DEFAULT_PRUNER
    allocation: AllocationRequest = AllocationRequest()
    pattern: Annotated[str | None, from_text(lambda typed: read_pattern(typed).name)] = Field(
        None, description="N kept of M, as in 2:4; uniform"
    )
    true_sequential: bool = Field(False, title="True-sequential", description="prune a layer group by group")
    calibration_seed: int = Field(0, ge=0, description="draws the calibration windows")

    @model_validator(mode="before")
    @classmethod
    def _fixed_by_pattern(cls, fields: Any) -> Any:
        """Fill in the allocation that a pattern fixes, and the pruner that a budget of whole levels needs."""
        if not isinstance(fields, dict):
            return fields
        if isinstance(fields.get("pattern"), str) and "allocation" not in fields:
            return fields | {"allocation": uniform(read_pattern(fields["pattern"]).sparsity)}
        allocation = fields.get("allocation")
        if isinstance(allocation, AllocationRequest) and allocation.budget_unit.levels:
            return {"pruner": default_pruner(allocation.budget_unit)} | fields
        return fields

    def check(self) -> None:
        super().check()
        unit = self.treatment.budget_unit.name
        if unit != self.allocation.currency:
            others = either(pruners_counting(self.allocation.budget_unit))
            raise ValueError(
                f"{self.pruner} counts {unit}, and this budget counts {self.allocation.currency}: write "
                f"currency={unit}, or choose {others}"
            )
        if self.pruner not in SPARSIFIERS and (self.repair or self.pattern):
            raise ValueError(f"{self.pruner} decides on every weight: leave {self.repair or self.pattern} out")
        if self.pruner_windows and not self.treatment.reads_text:
            raise ValueError(f"{self.pruner} reads no calibration text: leave pruner_windows out")
        fixed, target = read_pattern(self.pattern) if self.pattern else None, self.allocation.target
        if fixed and not (isinstance(self.allocation.base, Uniform) and abs(target - fixed.sparsity) <= 1e-9):
            right = f"use the uniform allocation with target {fixed.sparsity:g}"
            raise ValueError(f"{fixed.name} fixes every layer's sparsity at {fixed.sparsity:g}: {right}")

    @property
    def uniform(self) -> Self:
        """The recipe it is compared with: the same with every layer alike."""
        own = self.allocation
        return self.replace(allocation=uniform(own.target, own.currency).replace(outside=own.outside))

    @property
    def seedless(self) -> Self:
        """The same recipe with calibration seed 0, so that seeds compare as equal."""
        return self.replace(calibration_seed=0)

    @property
    def base(self) -> Self | None:
        """The same recipe without its correction; None if it has none."""
        return self.replace(allocation=self.allocation.uncorrected) if self.allocation.correction.strength else None

    @property
    def untrained(self) -> Self | None:
        """The same recipe without its last repair, if that trains; else None."""
        plain = {name: Repairs.model_fields[name].default for name in RECOVERY}
        before, _, last = (self.repair or "").rpartition("+")
        trains = last and REPAIRS[last].of != "linear"
        return self.model_copy(update={**plain, "repair": before or None}) if trains else None

    @property
    def name(self) -> str:
        """The recipe in the one grammar: `owl m=5 lam=0.08 by=sparsegpt calibration_seed=1:0.7`.

        `read_recipe` reads it back, except an allocation set by hand, whose numbers no line holds.
        """
        own = self.model_dump(include={*WORDS.values()}, exclude_defaults=True)
        words = {word: own[field] for word, field in WORDS.items() if field in own}
        return f"{grammar.words_of(self.allocation, words)}:{self.allocation.budget_unit.write(self.allocation.target)}"


def read_recipe(text: str) -> Recipe:
    """Read `owl m=5 lam=0.08 by=sparsegpt calibration_seed=1:0.7`, or an allocation's JSON file.

    Raises:
        UserError: an unknown method or parameter, or an invalid value.
    """
    if text.endswith(".json"):
        return Recipe(allocation=grammar.read_allocation(text))
    kind, parameters, target = grammar.parse(text)
    fields = {field: parameters.pop(word) for word, field in WORDS.items() if word in parameters}
    return checked(Recipe, allocation=grammar.build(kind, parameters, target, WORDS, fields.get("pruner")), **fields)


def uniform(target: float, currency: str = ZEROS.name) -> AllocationRequest:
    """The allocation with every layer alike; its upper bound rises with targets above the default bound."""
    default = AllocationRequest.model_fields["high"].default
    return AllocationRequest(target=target, high=max(default, target), currency=currency)
