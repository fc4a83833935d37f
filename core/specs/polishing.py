"""An allocation improved by measured steps: what is asked, and the stored units that it resolves to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from core.specs.base import Spec, View, added
from core.specs.models import ModelSpec
from core.specs.requests import OneSetting
from core.specs.settings import PrunedSpec, Setting
from core.specs.studies import StudySpec
from core.specs.texts import USUAL_EVALUATION, TextSpec, WindowRequest


class PolishRequest(OneSetting):
    """A setting whose budget is moved between layers wherever that lowers the loss on a text."""

    identity = "PolishRequest"
    selection: WindowRequest = USUAL_EVALUATION
    probe: int = Field(4, ge=1, description="how many windows of that text price the steps; all of them accept")
    step: float = Field(0.04, gt=0, le=0.5, description="of sparsity: what is priced, and the largest move at first")
    tokens: int = Field(1_000_000, ge=1, description="budget, in tokens of forward passes of the dense model")
    granularity: Literal["layer", "linear"] = added("layer", "what moves: whole layers, or single linears")
    final: WindowRequest | None = added(None, "text that judges what was found; nothing is chosen on it")
    does: ClassVar[str] = "polish"

    @model_validator(mode="after")
    def _has_a_budget_to_move(self) -> Self:
        if self.setting.pattern:
            raise ValueError(f"{self.setting.pattern} fixes every layer's sparsity: there is no budget to move")
        if self.probe > self.selection.sequences:
            raise ValueError(f"{self.probe} windows cannot price where the text has {self.selection.sequences}")
        return self


class StepsSpec(Spec):
    """A pruned model whose units can each be a step less or more sparse, read on some windows.

    The units are the layers, or all linears, a layer's after those of the layer before it.
    """

    model: ModelSpec
    pruned: PrunedSpec
    text: TextSpec
    windows: int = Field(description="the first so many of the text")
    below: tuple[float, ...] = Field(description="per unit, the step to less")
    above: tuple[float, ...] = Field(description="per unit, the step to more")


class MarginalSpec(StepsSpec):
    """Stored: what a pruned model loses with one layer, or linear, at a time a step less or more sparse."""

    identity = "MarginalSpec"
    method: Literal[1] = 1


class ExchangeSpec(StepsSpec):
    """Stored: what a pruned model loses with two layers, or linears, at a time, one a step less sparse, one more."""

    identity = "ExchangeSpec"
    pairs: tuple[tuple[int, int], ...] = Field(description="the unit that goes down, the one that goes up")
    method: Literal[1] = 1


class PolishSpec(View):
    """A view: the settings that were tried from a start on, and the one that did best on the text."""

    identity = "PolishSpec"
    study: StudySpec = Field(description="every setting that was tried, in order, on the text that accepts")
    marginals: tuple[MarginalSpec, ...]
    exchanges: tuple[ExchangeSpec, ...] = added((), "pairs that were measured together")
    start: Setting
    found: Setting
    judged: StudySpec | None = added(None, "the start and what was found, on a text that nothing was chosen on")

    @property
    def units(self) -> tuple[Spec, ...]:
        found = (*self.study.units, *self.marginals, *self.exchanges, *(self.judged.units if self.judged else ()))
        return tuple({unit.key: unit for unit in found}.values())

    def record(self, told: Mapping[str, Any]) -> dict[str, Any]:
        return {"start": self.start.name, "sparsity": told.get("sparsity")}

    def lines(self, told: Mapping[str, Any]) -> list[str]:
        return [f"{self.start.name}, polished: {told.get('sentence')}"]
