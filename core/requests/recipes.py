"""One way to prune a model, and the weights it means."""

from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from core.base import Spec, checked, either, optional_field, several
from core.methods import (
    CHAINS,
    DEFAULT_PRUNER,
    PRUNERS,
    REPAIRS,
    SPARSIFIERS,
    ZEROS,
    Treatment,
    Uniform,
    default_pruner,
    dropped_layers,
)
from core.methods.quantisation import form_of
from core.methods.selection import pattern as read_pattern
from core.methods.treatments import Method, Pruner, Repair
from core.requests import grammar
from core.requests.allocations import AllocationRequest
from core.requests.inputs import MOST_WINDOWS, TextSpec
from core.requests.parsing import from_text

BUDGETS = {"recover_minutes", "recover_tokens"}
RECOVERY = (*sorted(BUDGETS), "recover_until", "recover_norms", "recover_dtype", "recover_text")  # what distill is told
TRAINED = ("pruner_windows", *RECOVERY)  # and what the pruner before it is told
# how the grammar calls what a setting adds to its allocation; `by`, for `response pruner=wanda` says whose curves
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
Sparsity = tuple[float, ...] | tuple[tuple[float, ...], ...]


class Repairs(Spec):
    """What is done to the weights that stay. A repair that trains the whole model has a budget of time or tokens."""

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
    recover_dtype: Products = optional_field("float32", PRODUCTS)
    recover_text: Literal["calibration", "own"] = optional_field(
        "calibration", "that it trains on: own is what the dense model writes from the first tokens of each window"
    )
    pruner_windows: int = optional_field(
        0,
        "how many calibration windows the pruner reads, of those not held back; 0 for all; distill trains on all",
        title="Windows for the pruner",
        ge=0,
        le=MOST_WINDOWS,
    )

    def check(self) -> None:
        said = self.model_dump(include={*RECOVERY}).keys()
        if len(said & BUDGETS) != 1 if self.distills else said:
            raise ValueError(
                "the repair distill trains for a budget, recover_minutes or recover_tokens: give one of the two with "
                "it, and neither without it"
            )
        if self.recover_tokens and self.recover_until > self.recover_tokens:
            raise ValueError("a training ends with its budget: give recover_until no more tokens than recover_tokens")

    @property
    def distills(self) -> bool:
        return bool(Treatment(DEFAULT_PRUNER, self.repair).by("model"))

    @property
    def repair_options(self) -> str:
        """The budget of a repair that trains, and all else that is not as usual, in words; empty where nothing is."""
        said = {
            f"{self.recover_tokens or 0:,} tokens": self.recover_tokens,
            f"{self.recover_minutes or 0:g} min": self.recover_minutes,
            f"ended after {self.recover_until:,} tokens": self.recover_until,
            "norms": self.recover_norms,
            "bfloat16": self.recover_dtype == "bfloat16",
            "own text": self.recover_text == "own",
            f"the pruner reads {several(self.pruner_windows, 'window')}": self.pruner_windows,
        }
        return ", ".join(word for word, holds in said.items() if holds)

    @property
    def repaired(self) -> str:
        """The repairs in words, with their options; empty where there is neither."""
        return ", ".join(filter(None, [CHAINS.get(self.repair), self.repair_options]))


class Recipe(Repairs):
    """One way to prune a model: how much of each layer, by which pruner, judged on which windows."""

    identity: ClassVar[str] = "Setting"

    pruner: Pruner = DEFAULT_PRUNER
    allocation: AllocationRequest = AllocationRequest()
    pattern: Annotated[str | None, from_text(lambda typed: read_pattern(typed).name)] = Field(
        None, description="N kept of M, as in 2:4; uniform"
    )
    true_sequential: bool = Field(False, description="prune a layer group by group")
    calibration_seed: int = Field(0, ge=0, description="draws the calibration windows")

    @model_validator(mode="before")
    @classmethod
    def _fixed_by_pattern(cls, said: Any) -> Any:
        """What a pattern fixes is the allocation where no other is named; what counts bits is quantised."""
        if not isinstance(said, dict):
            return said
        if isinstance(said.get("pattern"), str) and "allocation" not in said:
            return said | {"allocation": uniform(read_pattern(said["pattern"]).sparsity)}
        asked = said.get("allocation")
        if isinstance(asked, AllocationRequest) and asked.budget_unit.levels:
            return {"pruner": default_pruner(asked.budget_unit)} | said
        return said

    def check(self) -> None:
        super().check()
        counted = self.treatment.budget_unit
        if counted.name != self.allocation.currency:
            others = either(name for name, row in PRUNERS.items() if row.budget_unit is self.allocation.budget_unit)
            raise ValueError(
                f"{self.pruner} counts {counted.name}, and this budget counts {self.allocation.currency}: write "
                f"currency={counted.name}, or choose {others}"
            )
        if self.pruner not in SPARSIFIERS and (self.repair or self.pattern):
            raise ValueError(f"{self.pruner} decides on every weight: leave {self.repair or self.pattern} out")
        if self.pruner_windows and not self.treatment.reads_text:
            raise ValueError(f"{self.pruner} reads no calibration text: leave pruner_windows out")
        if self.pattern is not None:
            found = read_pattern(self.pattern)
            if not isinstance(self.allocation.base, Uniform) or abs(self.allocation.target - found.sparsity) > 1e-9:
                raise ValueError(
                    f"{found.name} fixes every layer's sparsity at {found.sparsity:g}: "
                    f"use the uniform allocation with target {found.sparsity:g}"
                )

    @property
    def uniform(self) -> Self:
        """The same setting with every layer alike: what it is compared with."""
        return self.replace(allocation=uniform(self.allocation.target, self.allocation.currency))

    @property
    def seedless(self) -> Self:
        """The same setting whatever drew its calibration windows."""
        return self.replace(calibration_seed=0)

    @property
    def base(self) -> Self | None:
        """The same setting without its correction; None where it has none."""
        return self.replace(allocation=self.allocation.plain) if self.allocation.correction.strength else None

    @property
    def untrained(self) -> Self | None:
        """The same setting without its last repair, if that trains; None otherwise."""
        plain = {name: Repairs.model_fields[name].default for name in RECOVERY}
        before, _, last = (self.repair or "").rpartition("+")
        trains = last and REPAIRS[last].of != "linear"
        return self.model_copy(update={**plain, "repair": before or None}) if trains else None

    @property
    def treatment(self) -> Treatment:
        """Its pruner and its repair."""
        return Treatment(self.pruner, self.repair)

    @property
    def name(self) -> str:
        """The setting in the one grammar: `owl m=5 lam=0.08 by=sparsegpt calibration_seed=1:0.7`.

        `read_setting` reads it back, but where the allocation was set by hand, whose numbers no line tells.
        """
        own = self.model_dump(include={*WORDS.values()}, exclude_defaults=True)
        said = {word: own[field] for word, field in WORDS.items() if field in own}
        return f"{grammar.said(self.allocation, said)}:{self.allocation.budget_unit.write(self.allocation.target)}"


def read_recipe(text: str) -> Recipe:
    """A setting as it is written: `owl m=5 lam=0.08 by=sparsegpt calibration_seed=1:0.7`, or an allocation's JSON file.

    Raises:
        UserError: an unknown method or parameter, or a value that cannot be.
    """
    if text.endswith(".json"):
        return Recipe(allocation=grammar.read_allocation(text))
    kind, given, target = grammar.parts(text)
    whole = {field: given.pop(word) for word, field in WORDS.items() if word in given}
    return checked(Recipe, allocation=grammar.built(kind, given, target, WORDS), **whole)


def uniform(target: float, currency: str = ZEROS.name) -> AllocationRequest:
    """Every layer alike; the upper bound makes room for targets beyond the usual one."""
    usual = AllocationRequest.model_fields["high"].default
    return AllocationRequest(target=target, high=max(usual, target), currency=currency)


class ExactRecipe(Repairs):
    """What decides a pruned model's weights; without a calibration text where the pruner looks at none."""

    identity: ClassVar[str] = "PrunedSpec"

    pruner: Pruner
    sparsity: Sparsity = Field(description="per layer, or per layer and linear")
    pattern: str | None = None
    true_sequential: bool = False
    calibration: TextSpec | None
    method: Method = Field(default_factory=lambda given: PRUNERS[given["pruner"]].method, description="the pruner's")
    repair_method: int = optional_field(1, "the repair's: stored before there was one, it is the first")

    @property
    def earlier(self) -> str:
        now = Treatment(self.pruner, self.repair)
        return PRUNERS[self.pruner].at(self.method) or now.label * (self.repair_method != now.repair_method)

    @property
    def forms(self) -> list | None:
        """The name of the form of every linear, or of every layer's, shaped as its sparsity; None: weights stay."""
        forms = PRUNERS[self.pruner].forms
        named = np.vectorize(lambda share: "left out" if share == 1 else form_of(share, forms).name)
        return named(self.sparsity).tolist() if forms else None

    @property
    def left_out(self) -> list[int]:
        """Layers that the model goes without."""
        return dropped_layers(self.sparsity)

    def check(self) -> None:
        super().check()
        if self.repair and self.calibration is None:
            raise ValueError(f"repair={self.repair} goes by a calibration text: name one")
