"""What a polish measures, as stored units, and what that has cost so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from core.allocation.budget import Bounds, met
from core.allocation.exchange import Steps, rooms, slopes
from core.evaluation import running
from core.evaluation.marginals import exchanges, marginals
from core.evaluation.resolving import Resolved, resolve
from core.models import anatomy
from core.models.loading import Loaded
from core.models.outline import Outline
from core.models.progress import Progress, Report
from core.models.provenance import provenance
from core.search.polish_cost import Cost, study
from core.specs import ExchangeSpec, Manual, MarginalSpec, PolishRequest, Setting, StudyRequest, naming
from core.specs.errors import UserError
from core.specs.polishing import StepsSpec
from core.store.cache import Store
from core.store.results import Array, Exchanged, Marginal

Prices = tuple[Array, Array]  # loss per unit of sparsity below and above every unit's own, (units,) each


@dataclass
class Measuring:
    """A polish's budget and all that it was spent on."""

    request: PolishRequest
    loaded: Loaded
    store: Store
    shape: Outline
    report: Report
    spent: float = 0.0  # FLOP
    tried: list[Setting] = field(default_factory=list)  # the start first
    priced: list[MarginalSpec] = field(default_factory=list)
    paired: list[ExchangeSpec] = field(default_factory=list)

    def losses(self, setting: Setting, name: str) -> Array:
        """(windows,) nats/token on the text that accepts."""
        cost = self.cost.trial if self.tried else self.cost.start
        asked = self._study(setting)
        resolved = resolve(asked, self.loaded, self.store)
        running.Run(self.loaded, asked, resolved, self.store, self.shape, self.told(name, cost)).measure()
        self.tried.append(setting)
        self.spent += cost
        return self.store.load(resolved.spec.evaluated(resolved.spec.points[-1])).nll

    def prices(self, setting: Setting, sparsity: Array, bounds: Bounds) -> Prices:
        """Slopes of the loss below and above every unit's sparsity, from one step each way."""
        below, above = rooms(self.held(sparsity), bounds, self.request.step)
        spec = MarginalSpec(**self._steps(setting, below, above))
        self.priced.append(spec)
        found: Marginal = self._read(spec, setting, marginals, "steps", self.cost.steps)
        less, planned, more = found.less.mean(1), float(found.planned.mean()), found.more.mean(1)
        return slopes(less, planned, more, np.array(spec.below), np.array(spec.above))

    def exchanged(self, setting: Setting, by: Steps, pairs: Sequence[tuple[int, int]]) -> Array:
        """(pairs,) change of the loss where a unit goes a step down and another up, nats/token."""
        spec = ExchangeSpec(**self._steps(setting, by.below, by.above), pairs=tuple(pairs))
        self.paired.append(spec)
        found: Exchanged = self._read(spec, setting, exchanges, "pairs", self.cost.pairs(pairs))
        return found.exchanged.mean(1) - found.planned.mean()

    def _steps(self, setting: Setting, below: Array, above: Array) -> dict[str, Any]:
        """What is said of the pruned model whose layers or linears are changed by a step."""
        resolved = self.resolved(setting)
        return {
            "model": self.loaded.spec,
            "pruned": resolved.spec.points[-1].pruned,
            "text": resolved.text.spec,
            "windows": self.request.probe,
            "below": tuple(below.round(12).tolist()),
            "above": tuple(above.round(12).tolist()),
        }

    def _read(self, spec: StepsSpec, setting: Setting, measure: Callable, name: str, cost: float) -> Any:
        """What changed models lose, measured unless it was before."""
        if self.store.measured(spec) is None:
            tell, resolved = self.told(name, cost), self.resolved(setting)

            def step(layer: int) -> None:
                tell(Progress(f"pruned layer {layer}, and then all that is changed is run", layer=layer))

            found = measure(self.loaded, spec, resolved.calibration, resolved.text.tokens, step)
            self.store.save(spec, found, self.provenance(resolved))
        self.spent += cost
        return self.store.load(spec)

    def resolved(self, *settings: Setting) -> Resolved:
        return resolve(self._study(*settings), self.loaded, self.store)

    def _study(self, *settings: Setting) -> StudyRequest:
        return study(self.request, *settings)

    def setting(self, sparsity: Array) -> Setting:
        """The start with other numbers: exactly these, which spend what they spend."""
        exact = np.maximum(sparsity.round(12), 0.0)
        rows = tuple(map(tuple, exact.tolist())) if exact.ndim == 2 else tuple(exact.tolist())
        target = self.budget(exact)
        allocation = self.request.setting.allocation.model_copy(
            update={
                "base": Manual(sparsity=rows, name=naming.polished(self.request.setting)),
                "target": target,
                "unclipped": True,
            }
        )
        return self.request.setting.model_copy(update={"allocation": allocation.plain})

    @cached_property
    def linears(self) -> Array:
        """(layers, linears) prunable weights; NaN where a layer has fewer linears than another."""
        return anatomy.parameters(self.loaded.layers)

    @cached_property
    def parameters(self) -> Array:
        """(units,) prunable weights of what moves by itself: of every layer, or of every linear."""
        return self.linears.ravel() if self.by_linear else np.nansum(self.linears, axis=1)

    @property
    def by_linear(self) -> bool:
        return self.request.granularity == "linear"

    def start(self, sparsity: Array) -> Array:
        """The sparsity that a polish starts from, with a number for all that moves by itself.

        Raises:
            UserError: linears are to move by themselves, of which layers have unlike numbers.
        """
        if not self.by_linear or sparsity.ndim == 2:
            return sparsity
        if np.isnan(self.linears).any():
            raise UserError("the layers of this model differ in their linears: polish with --granularity layer")
        return np.broadcast_to(sparsity[:, None], self.linears.shape)

    def held(self, sparsity: Array) -> Array:
        """(units, numbers) the sparsity of what moves together."""
        return sparsity.reshape(len(self.parameters), -1)

    def budget(self, sparsity: Array) -> float:
        """What a sparsity per layer, or per linear, spends."""
        of_each = np.nansum(self.linears, axis=1) if sparsity.ndim == 1 else self.linears.ravel()
        return round(met(sparsity.ravel(), of_each), 9)

    def provenance(self, resolved: Resolved) -> dict:
        return provenance(self.loaded, resolved.files, self.store, self.loaded.model.device)

    # -- what it costs ------------------------------------------------------------------------------------------------

    @cached_property
    def cost(self) -> Cost:
        return Cost(self.request, self.shape)

    @property
    def tokens(self) -> int:
        """Spent so far, in tokens of forward passes."""
        return self.cost.tokens(self.spent)

    def can_pay(self, cost: float) -> bool:
        return self.cost.tokens(self.spent + cost) <= self.request.tokens

    def check_budget(self) -> None:
        """Refuse a budget that ends before the first move.

        Raises:
            UserError: it does.
        """
        least = self.cost.tokens(self.cost.start + self.cost.round)
        if least > self.request.tokens:
            raise UserError(
                f"a budget of {self.request.tokens:,} tokens is too small for one round of polish, which takes "
                f"{least:,} with its start: give {least} or more, or fewer windows"
            )

    def told(self, name: str, cost: float) -> Report:
        """What a stage reports, as a part of the whole budget and of what judges after it."""
        begun, total = self.spent, int((self.request.tokens * self.cost.token + self.cost.judging) / 1e6)

        def tell(progress: Progress) -> None:
            done = int((begun + min(progress.done * 1e6, cost)) / 1e6)
            self.report(Progress(f"{name}: {progress.line}", done, total, progress.layer, len(self.tried)))

        return tell
