"""The request for an allocation: a base allocator, a target, bounds, and a correction."""

import math
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal, Self

from pydantic import Field

from core.base import Spec, UserError, brief, checked, either, listed, look_up, optional_field, unique
from core.methods import (
    LAYERS,
    OUTSIDE,
    QUANT_FORMATS,
    STORED_UNITS,
    TREATMENTS,
    UNITS,
    ZEROS,
    Base,
    BudgetUnit,
    Uniform,
)
from core.requests.parsing import from_text, read_bytes
from core.requests.perturbations import perturbation

DEFAULT_METHOD = "owl"  # shown where no method is chosen
GGUF_TYPES = {name: name for name, form in QUANT_FORMATS.items() if form.gguf}
Control = Literal["none", "reversed", "shuffled", "ramp"]


def _outside(typed: str) -> str:
    names = [look_up(GGUF_TYPES, each, "GGUF type") for each in typed.split("/")]
    if len(names) > 2:
        raise UserError(f"{brief(typed)} are more than two types: write one, or those of embeddings and output matrix")
    return "/".join(unique(names))


class Correction(Spec):
    """The absorption-aware correction of a base allocation, or a control in its place."""

    strength: float = Field(0.0, ge=0, le=0.5, description="largest shift of a layer, sparsity units; our parameter")
    driver: Annotated[str, from_text(lambda typed: perturbation(typed).name)] = Field(
        "gaussian:0.3", description="the perturbation whose gain drives it"
    )
    control: Control = "none"
    seed: int = Field(0, ge=0, description="of the shuffled control")
    clip: float = Field(math.log(3), gt=0, description="largest |ln r| that counts")


class AllocationRequest(Spec):
    """A base allocator, a target, bounds, and a correction."""

    base: Base = Uniform()
    target: float = Field(0.7, ge=0, lt=1, description="mean sparsity, weighted by parameters")
    low: float = Field(0.0, ge=0, lt=1, description="least sparsity of a layer")
    high: float = Field(0.95, ge=0, lt=1, description="greatest sparsity of a layer")
    correction: Correction = Correction()
    unclipped: bool = Field(False, description="the reference code's numbers, without bounds or exact budget")
    currency: Annotated[str, from_text(lambda typed: look_up(STORED_UNITS, typed, "currency").name)] = optional_field(
        ZEROS.name, f"what the target counts, {either(UNITS)}; it is kept as the share of a weight that is saved"
    )
    at_most: Annotated[float | None, from_text(read_bytes)] = optional_field(
        None, "bytes of all weights in place of the target, which `core.plan.sizes.with_target` then finds"
    )

    outside: Annotated[str | None, from_text(_outside)] = optional_field(
        None,
        "GGUF type of embeddings and output matrix, or two as in Q4_K/Q6_K; else the best for a budget in bytes, where "
        f"the profile tells, or {OUTSIDE}",
    )

    def check(self) -> None:
        """Reject contradictions; a budget of whole levels has those for bounds, and no correction but permutations."""
        if self.unclipped and self.correction.strength:
            raise ValueError(
                "a correction spends an exact budget inside bounds, and unclipped numbers know neither: "
                "give a strength or unclipped, not both"
            )
        if self.outside and not self.budget_unit.in_gguf:
            raise ValueError(f"outside names a GGUF type, and {self.currency} has none: write currency=kquants or gguf")
        pruner = getattr(self.base, "pruner", None)
        if pruner and TREATMENTS[pruner].budget_unit is not self.budget_unit:
            other = TREATMENTS[pruner].budget_unit.name
            raise ValueError(f"curves of {pruner} count {other}: write currency={other}, or name another pruner's")
        if self.budget_unit is LAYERS and self.base.per_linear:
            raise ValueError("layers are left out whole: write granularity=layer, or another method")
        if not self.budget_unit.levels:
            return
        defaults = (AllocationRequest.model_fields[name].default for name in ("low", "high"))
        moved = self.unclipped, self.correction.strength, self.correction.control == "ramp"
        if any(moved) or (self.low, self.high) != (*defaults,):
            raise ValueError(
                f"a budget of {self.currency} is met by the levels {listed(self.budget_unit.names)}: leave low, high, "
                "strength, ramp and unclipped out"
            )

    @property
    def budget_unit(self) -> BudgetUnit:
        """The unit that the target is counted in."""
        return STORED_UNITS[self.currency]

    def corrected(
        self, strengths: Iterable[float], controls: Iterable[str], shuffles: int = 1, **how: object
    ) -> Iterator[Self]:
        """Yield this allocation with each strength above 0 of the correction and of its controls.

        Args:
            controls: `none` for the correction itself.
            shuffles: number of permutations of the shuffled control.
            how: further fields of the corrections.

        Raises:
            UserError: an invalid correction.
        """
        for strength in filter(None, strengths):
            for control in controls:
                for seed in range(shuffles) if control == "shuffled" else (0,):
                    fix = checked(Correction, strength=strength, control=control, seed=seed, **how)
                    yield checked(type(self), **dict(self) | {"correction": fix})

    @property
    def uncorrected(self) -> Self:
        """This allocation without its correction."""
        return self.replace(correction=Correction())


def joined(allocation: AllocationRequest) -> AllocationRequest:
    """A budget per linear as one per linears that engines run as one matrix; any other as it is."""
    if getattr(allocation.base, "granularity", "") != "linear":
        return allocation
    return allocation.replace(base=allocation.base.replace(granularity="joined"))
