"""An allocation improved where it stands: measure every layer's two steps, move the budget, keep what lowers the loss.

Where the slopes promise no more, pairs of layers trade a step: each pair is measured with both changed, from levels
that were pruned once, and those that help are tried together. Single linears move the same way where that is asked.

Everything measured is a stored unit, and which one comes next follows from those before it: a run that was killed goes
on where it was by being asked for again, and ends as it would have.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

import numpy as np

from core.allocation.budget import Bounds
from core.allocation.exchange import apart, exchange, expected, moved, promising, rooms, steps, traded
from core.analysis.comparison import Interval, paired, percent
from core.analysis.verdicts import sentence
from core.evaluation.resolving import Resolved
from core.models.loading import Loaded
from core.models.outline import Outline
from core.models.progress import Report
from core.models.provenance import relative
from core.search import polish_texts
from core.search.polish_measuring import Measuring, Prices
from core.specs import PolishRequest, PolishSpec, Setting
from core.specs.errors import UserError
from core.specs.formats import capital, several
from core.store.cache import Entry, Store
from core.store.results import Array

HALVINGS = 4  # of the trust region, before slopes are followed no further
STILL = 1e-6  # a change of sparsity that is none


@dataclass(frozen=True)
class Round:
    """One move that was tried."""

    region: float  # largest change of a sparsity
    expected: float  # change of loss by the slopes, or by the pairs measured one by one, nats/token
    change: float  # measured, on all windows
    accepted: bool
    tokens: int  # spent so far, in tokens of forward passes
    pairs: int = 0  # that traded; 0: the move followed the slopes


@dataclass(frozen=True)
class Stand:
    """Where a polish stands."""

    setting: Setting
    sparsity: Array  # (layers,), or (layers, linears)
    losses: Array  # (windows,) nats/token


@dataclass
class Run:
    """A running polish: where it stands, and what it has tried."""

    request: PolishRequest
    loaded: Loaded
    store: Store
    shape: Outline
    report: Report
    rounds: list[Round] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.measuring = Measuring(self.request, self.loaded, self.store, self.shape, self.report)

    def run(self) -> Entry:
        """Polish until the budget is spent or nothing helps, and save the view over all that was tried.

        Raises:
            UserError: a budget too small for one round, a start that breaks the model, texts or settings that cannot
                be.
            Cancelled: the report function said so; what is finished stays.
        """
        self.measuring.check_budget()
        resolved = self.measuring.resolved(self.request.setting)
        polish_texts.check(self.request, resolved, self.loaded)
        first = self.measuring.losses(self.request.setting, "the start")
        if not np.isfinite(first).all():
            raise UserError("the start breaks the model: its loss is not a number; start from a lower target")
        sparsity = self.measuring.start(np.array(resolved.spec.points[-1].pruned.sparsity))
        start = Stand(self.request.setting, sparsity, first)
        *_, last = [start, *self._moves(start)]
        return self._saved(last.setting, percent(paired(last.losses, first)), self._judged(last.setting))

    def _moves(self, stand: Stand) -> Iterator[Stand]:
        """Every accepted move: by slopes while they lead down, then pairs."""
        prices = None
        region = self.request.step
        while region > self.request.step / 2**HALVINGS:
            if not self.measuring.can_pay(self.measuring.cost.round if prices is None else self.measuring.cost.trial):
                return
            prices = prices or self.measuring.prices(stand.setting, stand.sparsity, self._bounds)
            room = rooms(self.measuring.held(stand.sparsity), self._bounds, region)
            change = exchange(*prices, self.measuring.parameters, *room)
            if np.abs(change).max() < STILL:
                break
            better = self._tried(stand, change, expected(change, *prices), region)
            if better:
                yield (stand := better)
                prices = None
            else:
                region /= 2
        while better := self._traded(stand, prices):
            yield (stand := better)

    def _traded(self, stand: Stand, prices: Prices) -> Stand | None:
        """The stand after the most pairs that together lower the loss; None where none does, or the budget ends."""
        measuring = self.measuring
        by = steps(measuring.held(stand.sparsity), measuring.parameters, self._bounds, self.request.step)
        asked = promising(*prices, measuring.parameters, by, 2 * self.shape.layers)
        if not asked or not measuring.can_pay(measuring.cost.pairs(asked) + measuring.cost.trial):
            return None
        changes = measuring.exchanged(stand.setting, by, asked)
        found = apart(asked, changes)
        for count in _halved(len(found)):
            if not measuring.can_pay(measuring.cost.trial):
                return None
            change = traded([asked[number] for number in found[:count]], by)
            better = self._tried(stand, change, float(changes[found[:count]].sum()), float(np.abs(change).max()), count)
            if better:
                return better
        return None

    def _tried(self, stand: Stand, change: Array, said: float, region: float, pairs: int = 0) -> Stand | None:
        """The stand after a change per unit, measured on all windows; None where that does not lower the loss."""
        sparsity = moved(stand.sparsity, change)
        trial = self.measuring.setting(sparsity)
        losses = self.measuring.losses(trial, f"round {len(self.rounds) + 1}")
        difference = paired(losses, stand.losses).value
        accepted = difference < 0  # NaN is none
        self.rounds.append(Round(region, said, difference, accepted, self.measuring.tokens, pairs))
        return Stand(trial, sparsity, losses) if accepted else None

    def _judged(self, found: Setting) -> Resolved | None:
        report = self.measuring.told("judging", self.measuring.cost.judging)
        return polish_texts.judged(self.request, found, self.loaded, self.store, self.shape, report)

    @property
    def _bounds(self) -> Bounds:
        return Bounds(self.request.setting.allocation.low, self.request.setting.allocation.high)

    def _saved(self, found: Setting, change: Interval, judged: Resolved | None) -> Entry:
        resolved = self.measuring.resolved(*self.measuring.tried)
        measured = {"marginals": tuple(self.measuring.priced), "exchanges": tuple(self.measuring.paired)}
        asked = {"start": self.request.setting, "found": found, "judged": judged and judged.spec}
        spec = PolishSpec(study=resolved.spec, **measured, **asked)
        files = [*resolved.files, *(judged.files if judged else ())]
        self.store.remember(self.request, spec, [*self.loaded.source.watched, *files])
        sparsity = next(each.pruned.sparsity for each in resolved.spec.points if each.setting == found)
        told = self.measuring.provenance(resolved) | {
            "model_source": relative(self.request.model),
            "text": resolved.text.label,
            "sparsity": sparsity,
            "budget": self.measuring.budget(np.array(sparsity)),
            "rounds": [asdict(each) for each in self.rounds],
            "tokens": self.measuring.tokens,
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


def _halved(count: int) -> Iterator[int]:
    """All, half of them, and so on down to one."""
    while count:
        yield count
        count //= 2
