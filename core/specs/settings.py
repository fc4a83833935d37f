"""One way to prune a model, and the weights it means."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Self

from pydantic import Field, model_validator

from core.specs.allocations import AllocationRequest, Correction, Manual, Uniform
from core.specs.base import Spec, number
from core.specs.patterns import pattern as read_pattern
from core.specs.pruners import PRUNERS, USUAL, Pruner
from core.specs.texts import TextSpec

Sparsity = tuple[float, ...] | tuple[tuple[float, ...], ...]


class Setting(Spec):
    """One way to prune a model: how much of each layer, by which pruner, judged on which windows."""

    pruner: Pruner = USUAL
    allocation: AllocationRequest = AllocationRequest()
    pattern: str | None = Field(None, description="N kept of M, as in 2:4")
    true_sequential: bool = False
    calibration_seed: int = Field(0, ge=0, description="draws the calibration windows")

    @model_validator(mode="after")
    def _pattern_fits(self) -> Self:
        if self.pattern is not None:
            found = read_pattern(self.pattern)
            if not isinstance(self.allocation.base, Uniform) or abs(self.allocation.target - found.sparsity) > 1e-9:
                raise ValueError(
                    f"{found.name} fixes every layer's sparsity at {found.sparsity:g}: "
                    f"use the uniform allocation with target {found.sparsity:g}"
                )
        return self

    @property
    def uniform(self) -> Setting:
        """The same setting with every layer alike: what it is compared with."""
        return self.model_copy(update={"allocation": uniform(self.allocation.target)})

    @property
    def base(self) -> Setting | None:
        """The same setting without its correction; None where it has none."""
        if not self.allocation.correction.strength:
            return None
        plain = self.allocation.model_copy(update={"correction": Correction()})
        return self.model_copy(update={"allocation": plain})

    @property
    def reads_text(self) -> bool:
        """Whether its pruner looks at a calibration text; else every calibration seed gives the same weights."""
        return PRUNERS[self.pruner].reads_text

    @property
    def method(self) -> str:
        """The allocation in words, target left out: `owl m=5 lam=0.08`, `owl m=5 lam=0.08 reversed 0.04`.

        Bounds and clip are said where they are not as usual: `dlp alpha=0.15 statistic=mean high=0.9`.
        """
        asked = self.allocation
        base = asked.base
        said = [] if isinstance(base, Manual) else base.model_dump(exclude={"kind"}, exclude_none=True).items()
        words = [base.kind, *(f"{name}={_short(value)}" for name, value in said)]
        words += [f"{name}={number(getattr(asked, name))}" for name in ("low", "high") if _unusual(asked, name)]
        if asked.correction.strength:
            control = "corrected" if asked.correction.control == "none" else asked.correction.control
            words += [control, number(asked.correction.strength), f"by {asked.correction.driver}"]
            words += [f"seed {asked.correction.seed}"] if control == "shuffled" else []
            words += [f"clip {number(asked.correction.clip)}"] if _unusual(asked.correction, "clip") else []
        return " ".join(words)

    @property
    def name(self) -> str:
        """The setting in words."""
        words = [self.method, f"{self.allocation.target:.0%}", self.pruner]
        words += [self.pattern] if self.pattern else []
        words += ["true-sequential"] if self.true_sequential else []
        words += [f"calibration seed {self.calibration_seed}"] if self.calibration_seed else []
        return ", ".join(words)


def with_twins(settings: Iterable[Setting]) -> tuple[Setting | None, ...]:
    """Dense, then every setting preceded by its uniform twin, each once."""
    return tuple(dict.fromkeys([None, *(each for setting in settings for each in (setting.uniform, setting))]))


def uniform(target: float) -> AllocationRequest:
    """Every layer alike; the upper bound makes room for targets beyond the usual one."""
    usual = AllocationRequest.model_fields["high"].default
    return AllocationRequest(target=target, high=max(usual, target))


def _short(value: object) -> str:
    return number(value) if isinstance(value, float) else str(value)


def _unusual(asked: Spec, name: str) -> bool:
    return getattr(asked, name) != type(asked).model_fields[name].default


class PrunedSpec(Spec):
    """What decides a pruned model's weights; without a calibration text where the pruner looks at none."""

    pruner: Pruner
    sparsity: Sparsity = Field(description="per layer, or per layer and linear")
    pattern: str | None = None
    true_sequential: bool = False
    calibration: TextSpec | None
    method: Literal[1] = 1
