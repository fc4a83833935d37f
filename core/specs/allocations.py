"""What an allocation can be asked to be: frozen, complete, one class per base allocator."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from core.specs.base import Spec
from core.specs.errors import UserError
from core.specs.measurements import OUTLIER_THRESHOLDS
from core.specs.perturbations import perturbation
from core.specs.pruners import Pruner


class Uniform(Spec):
    """Every layer alike."""

    kind: Literal["uniform"] = "uniform"


class Owl(Spec):
    """More outliers, less sparsity (arXiv 2310.05175)."""

    kind: Literal["owl"] = "owl"
    m: float = Field(5.0, description="outlier threshold, in multiples of the mean score, 2 to 12 in steps of 0.5")
    lam: float = Field(0.08, ge=0, le=0.5, description="half width of the band, sparsity units")

    @model_validator(mode="after")
    def _measured_threshold(self) -> Self:
        if self.m not in OUTLIER_THRESHOLDS:
            raise ValueError(f"m {self.m:g} was not counted: it goes from 2 to 12 in steps of 0.5")
        return self


class AlphaPruning(Spec):
    """Heavy-tailed layers are pruned less (arXiv 2410.10912)."""

    kind: Literal["alphapruning"] = "alphapruning"
    epsilon: float = Field(0.3, ge=0, lt=1, description="relative half width of the band")
    estimator: Literal["peak", "hill"] = "peak"


class Dlp(Spec):
    """Large mean scores, more sparsity (arXiv 2505.23807)."""

    kind: Literal["dlp"] = "dlp"
    alpha: float = Field(0.15, ge=0, le=0.5, description="half width of the band, sparsity units")
    statistic: Literal["mean", "median"] = "mean"


class DepthRamp(Spec):
    """A straight line over depth (arXiv 2502.14770, 2411.07066)."""

    kind: Literal["depth_ramp"] = "depth_ramp"
    beta: float = Field(0.01, description="step from a layer to the next, sparsity units")


class Response(Spec):
    """Least total harm by measured one-layer-pruned responses; ours.

    The harm is the divergence by default: on the bundled model at 70% it served better than the squared final drift,
    as chosen on one text and seen on another (tests/bench/studies).
    """

    kind: Literal["response"] = "response"
    objective: Literal["drift", "kl", "nll"] = "kl"
    pruner: Pruner = "wanda"
    granularity: Literal["layer", "linear"] = "layer"


ROUNDING = 1e-12  # how far below 0 a budget that was met may leave a layer


def _check_sparsity(layer: int, value: Any) -> None:
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the sparsity of layer {layer}, {value!r}, is not a number: write it as in 0.7") from error
    if not (number >= -ROUNDING and number < 1):  # NaN is refused too
        raise ValueError(f"the sparsity of layer {layer} is {number:g}: it must lie from 0 to below 1")


class Manual(Spec):
    """Set by hand."""

    kind: Literal["manual"] = "manual"
    sparsity: tuple[float, ...] | tuple[tuple[float, ...], ...] = Field(
        description="per layer, or per layer and linear"
    )

    @model_validator(mode="before")
    @classmethod
    def _numbers(cls, given: Any) -> Any:
        """One sentence in place of a report on each form that the numbers could have had."""
        rows = given.get("sparsity") if isinstance(given, dict) else None
        if not isinstance(rows, list | tuple) or not rows:
            return given
        per_linear = isinstance(rows[0], list | tuple)
        for layer, row in enumerate(rows):
            if isinstance(row, list | tuple) != per_linear:
                raise ValueError("sparsity must hold a number for every layer, or a list of numbers for every layer")
            if per_linear and not row:
                raise ValueError(f"the sparsity of layer {layer} is an empty list: give a number for each linear")
            for value in row if per_linear else (row,):
                _check_sparsity(layer, value)
        return given


BASES: dict[str, type[Spec]] = {
    "uniform": Uniform,
    "owl": Owl,
    "alphapruning": AlphaPruning,
    "dlp": Dlp,
    "depth_ramp": DepthRamp,
    "response": Response,
    "manual": Manual,
}
Base = Annotated[
    Uniform | Owl | AlphaPruning | Dlp | DepthRamp | Response | Manual,
    Field(discriminator="kind"),
]
Control = Literal["none", "reversed", "shuffled", "ramp"]


class Correction(Spec):
    """The absorption-aware correction on top of a base; a control in its place where asked."""

    strength: float = Field(0.0, ge=0, le=0.5, description="largest shift of a layer, sparsity units; our parameter")
    driver: str = Field("gaussian:0.3", description="the perturbation whose gain drives it")
    control: Control = "none"
    seed: int = Field(0, ge=0, description="of the shuffled control")
    clip: float = Field(math.log(3), gt=0, description="largest |ln r| that counts")

    @field_validator("driver")
    @classmethod
    def _as_profiles_call_it(cls, driver: str) -> str:
        try:
            return perturbation(driver).name
        except UserError as error:
            raise ValueError(str(error)) from error


class AllocationRequest(Spec):
    """A base allocator, a target, bounds, and a correction."""

    base: Base = Uniform()
    target: float = Field(0.7, ge=0, lt=1, description="mean sparsity, weighted by parameters")
    low: float = Field(0.0, ge=0, lt=1, description="least sparsity of a layer")
    high: float = Field(0.95, ge=0, lt=1, description="greatest sparsity of a layer")
    correction: Correction = Correction()
    unclipped: bool = Field(False, description="the reference code's numbers, without bounds or exact budget")

    @model_validator(mode="after")
    def _either(self) -> Self:
        if self.unclipped and self.correction.strength:
            raise ValueError(
                "a correction spends an exact budget inside bounds, and unclipped numbers know neither: "
                "give a strength or unclipped, not both"
            )
        return self


BASE_LABELS = {
    "uniform": "Uniform",
    "owl": "OWL",
    "alphapruning": "AlphaPruning",
    "dlp": "DLP",
    "depth_ramp": "Depth ramp",
    "response": "Response",
    "manual": "set by hand",
}
