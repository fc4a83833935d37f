"""An allocation improved where it stands: measure every layer's two steps, move the budget, keep what lowers the loss.

Everything measured is a stored unit, and which one comes next follows from those before it: a run that was killed goes
on where it was by being asked for again, and ends as it would have.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property

import numpy as np

from core.allocation.budget import Bounds, met
from core.allocation.exchange import exchange, expected, rooms, slopes
from core.analysis.comparison import Interval, paired, percent
from core.analysis.verdicts import sentence
from core.evaluation import running
from core.evaluation.marginals import marginals
from core.evaluation.resolving import Resolved, resolve
from core.models import anatomy
from core.models.loading import Loaded
from core.models.outline import Outline
from core.models.progress import Progress, Report
from core.models.provenance import provenance, relative
from core.search import polish_texts
from core.search.polish_cost import Cost, study
from core.specs import Manual, MarginalSpec, PolishRequest, PolishSpec, Setting, StudyRequest
from core.specs.errors import UserError
from core.specs.formats import capital, several
from core.store.cache import Entry, Store
from core.store.results import Array, Marginal

HALVINGS = 4  # of the trust region, before nothing more is tried
STILL = 1e-6  # a change of sparsity that is none


@dataclass(frozen=True)
class Round:
    """One move that was tried."""

    region: float  # largest change of a layer's sparsity that was allowed
    expected: float  # change of loss by the slopes, nats/token
    change: float  # measured, on all windows
    accepted: bool
    tokens: int  # spent so far, in tokens of forward passes


@dataclass
class Run:
    """A running polish: where it stands, and what it has tried."""

    request: PolishRequest
    loaded: Loaded
    store: Store
    shape: Outline
    report: Report
    spent: float = 0.0  # FLOP
    tried: list[Setting] = field(default_factory=list)  # the start first
    priced: list[MarginalSpec] = field(default_factory=list)
    rounds: list[Round] = field(default_factory=list)

    def run(self) -> Entry:
        """Polish until the budget is spent or nothing helps, and save the view over all that was tried.

        Raises:
            UserError: a budget too small for one round, a start that breaks the model, texts or settings that cannot
                be.
            Cancelled: the report function said so; what is finished stays.
        """
        self._check_budget()
        resolved = self._resolved(self.request.setting)
        polish_texts.check(self.request, resolved, self.loaded)
        start = np.array(resolved.spec.points[-1].pruned.sparsity)
        bounds = Bounds(self.request.setting.allocation.low, self.request.setting.allocation.high)
        first = self._losses(self.request.setting, "the start")
        if not np.isfinite(first).all():
            raise UserError("the start breaks the model: its loss is not a number; start from a lower target")
        *_, (found, losses) = [(self.request.setting, first), *self._moves(start, bounds, first)]
        return self._saved(found, percent(paired(losses, first)), self._judged(found))

    def _moves(self, sparsity: Array, bounds: Bounds, losses: Array) -> Iterator[tuple[Setting, Array]]:
        """Every accepted setting with its losses (windows,); rejected ones halve the region."""
        region, here, prices = self.request.step, self.request.setting, None
        while region > self.request.step / 2**HALVINGS:
            if not self._affordable(self.cost.round if prices is None else self.cost.trial):
                return
            prices = prices or self._priced(here, sparsity, bounds)
            change, said = self._move(prices, sparsity, bounds, region)
            if np.abs(change).max() < STILL:
                return
            moved = sparsity + (change if sparsity.ndim == 1 else change[:, None])
            trial = self._setting(moved)
            found = self._losses(trial, f"round {len(self.rounds) + 1}")
            difference = paired(found, losses).value
            accepted = difference < 0  # NaN is none
            self.rounds.append(Round(region, said, difference, accepted, self.cost.tokens(self.spent)))
            if accepted:
                here, sparsity, losses, prices = trial, moved, found, None
                yield here, losses
            else:
                region /= 2

    def _move(self, prices: Prices, sparsity: Array, bounds: Bounds, region: float) -> tuple[Array, float]:
        """The change per layer, and what the slopes say of it."""
        change = exchange(*prices, self.parameters, *rooms(sparsity, bounds, region))
        return change, expected(change, *prices)

    # -- measuring ----------------------------------------------------------------------------------------------------

    def _losses(self, setting: Setting, name: str) -> Array:
        """(windows,) nats/token on the text that accepts."""
        cost = self.cost.trial if self.tried else self.cost.start
        asked = self._study(setting)
        resolved = resolve(asked, self.loaded, self.store)
        running.Run(self.loaded, asked, resolved, self.store, self.shape, self._told(name, cost)).measure()
        self.tried.append(setting)
        self.spent += cost
        return self.store.load(resolved.spec.evaluated(resolved.spec.points[-1])).nll

    def _priced(self, setting: Setting, sparsity: Array, bounds: Bounds) -> Prices:
        """Slopes of the loss below and above every layer's sparsity."""
        resolved = self._resolved(setting)
        below, above = rooms(sparsity, bounds, self.request.step)
        spec = MarginalSpec(
            model=self.loaded.spec,
            pruned=resolved.spec.points[-1].pruned,
            text=resolved.text.spec,
            windows=self.request.probe,
            below=tuple(below.round(12).tolist()),
            above=tuple(above.round(12).tolist()),
        )
        self.priced.append(spec)
        if self.store.measured(spec) is None:
            tell = self._told("steps", self.cost.steps)

            def step(layer: int) -> None:
                tell(Progress(f"pruned layer {layer}, then all {2 * self.shape.layers} steps are run", layer=layer))

            found = marginals(self.loaded, spec, resolved.calibration, resolved.text.tokens, step)
            self.store.save(spec, found, self._provenance(resolved))
        self.spent += self.cost.steps
        return _slopes(self.store.load(spec), np.array(spec.below), np.array(spec.above))

    def _study(self, *settings: Setting) -> StudyRequest:
        return study(self.request, *settings)

    def _resolved(self, *settings: Setting) -> Resolved:
        return resolve(self._study(*settings), self.loaded, self.store)

    def _setting(self, sparsity: Array) -> Setting:
        """The start with other numbers: exactly these, which spend what they spend."""
        exact = np.maximum(sparsity.round(12), 0.0)
        rows = tuple(map(tuple, exact.tolist())) if exact.ndim == 2 else tuple(exact.tolist())
        target = round(self._budget(exact), 9)
        allocation = self.request.setting.allocation.model_copy(
            update={"base": Manual(sparsity=rows), "target": target, "unclipped": True}
        )
        return self.request.setting.model_copy(update={"allocation": allocation.plain})

    @cached_property
    def cost(self) -> Cost:
        return Cost(self.request, self.shape)

    @cached_property
    def parameters(self) -> Array:
        """(layers,) prunable weights."""
        return np.nansum(anatomy.parameters(self.loaded.layers), axis=1)

    def _budget(self, sparsity: Array) -> float:
        linears = anatomy.parameters(self.loaded.layers)
        return met(sparsity, self.parameters) if sparsity.ndim == 1 else met(sparsity.ravel(), linears.ravel())

    def _judged(self, found: Setting) -> Resolved | None:
        report = self._told("judging", 0.0)
        return polish_texts.judged(self.request, found, self.loaded, self.store, self.shape, report)

    # -- what it costs ------------------------------------------------------------------------------------------------

    def _affordable(self, cost: float) -> bool:
        return self.cost.tokens(self.spent + cost) <= self.request.tokens

    def _check_budget(self) -> None:
        least = self.cost.tokens(self.cost.start + self.cost.round)
        if least > self.request.tokens:
            raise UserError(
                f"a budget of {self.request.tokens:,} tokens is too small for one round of polish, which takes "
                f"{least:,} with its start: give {least} or more, or fewer windows"
            )

    # -- telling ------------------------------------------------------------------------------------------------------

    def _told(self, name: str, cost: float) -> Report:
        """What a stage reports, as a part of the whole budget."""
        begun, total = self.spent, int(self.request.tokens * self.cost.token / 1e6)

        def tell(progress: Progress) -> None:
            done = int((begun + min(progress.done * 1e6, cost)) / 1e6)
            self.report(Progress(f"{name}: {progress.line}", done, total, progress.layer, len(self.tried)))

        return tell

    def _saved(self, found: Setting, change: Interval, judged: Resolved | None) -> Entry:
        resolved = self._resolved(*self.tried)
        marginal = tuple(self.priced)
        asked = {"start": self.request.setting, "found": found, "judged": judged and judged.spec}
        spec = PolishSpec(study=resolved.spec, marginals=marginal, **asked)
        files = [*resolved.files, *(judged.files if judged else ())]
        self.store.remember(self.request, spec, [*self.loaded.source.files, *files])
        sparsity = next(each.pruned.sparsity for each in resolved.spec.points if each.setting == found)
        told = self._provenance(resolved) | {
            "model_source": relative(self.request.model),
            "text": resolved.text.label,
            "sparsity": sparsity,
            "budget": self._budget(np.array(sparsity)),
            "rounds": [asdict(each) for each in self.rounds],
            "tokens": self.cost.tokens(self.spent),
            "sentence": self._sentence(found, change),
            "interval": asdict(change),
            "judged": judged and polish_texts.verdict(self.request, found, judged, self.store),
        }
        return self.store.entry(self.store.save(spec, None, told))

    def _sentence(self, found: Setting, change: Interval) -> str:
        if found == self.request.setting:
            tried = f"none of {several(len(self.rounds), 'move')} lowered the loss" if self.rounds else "no move helps"
            return f"Polish added nothing here: {tried} on the text that selects."
        kept = sum(each.accepted for each in self.rounds)
        said = sentence("the polished allocation", "its start", change)
        return f"{capital(said)}, on the text that selects; {kept} of {several(len(self.rounds), 'move')} lowered it."

    def _provenance(self, resolved: Resolved) -> dict:
        return provenance(self.loaded, resolved.files, self.store, self.loaded.model.device)


Prices = tuple[Array, Array]


def _slopes(found: Marginal, below: Array, above: Array) -> Prices:
    return slopes(found.less.mean(1), float(found.planned.mean()), found.more.mean(1), below, above)
