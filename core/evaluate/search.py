"""From a request for the best setting to its answer: profile, search, selection, final comparison. All resumable."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from core.ask.allocations import AllocationRequest
from core.ask.grammar import write
from core.ask.inputs import WindowRequest
from core.ask.requests import BestRequest, BestSpec
from core.ask.settings import Setting
from core.base.errors import UserError
from core.evaluate.resolving import profile_of
from core.kinds.treatments import NO_REPAIR, Treatment
from core.models.loading import Loaded, Reader
from core.models.outline import Outline
from core.models.progress import Account, Progress, Report
from core.models.provenance import provenance, relative
from core.models.windows import Windows, read, windows
from core.plan.spread import allocate, linear_parameters
from core.results import candidates, evaluations, search_plan, shortlist, text_splits
from core.results.anchors import STEP, Anchors, Prediction, fitting, usual
from core.results.evaluations import Evaluations
from core.store.cache import Entry, Request, Store
from core.store.profiles import Profile

Stage = Callable[[Request, Report], Entry]


@dataclass
class Run:
    """A running search. Every stage is a request of its own, found in the store if it was finished before."""

    asked: BestRequest
    loaded: Loaded
    store: Store
    shape: Outline
    report: Report
    stage: Stage
    left_out: list[str] = field(default_factory=list)
    forecasts: dict[str, Prediction] = field(default_factory=dict)  # of allocations before they were evaluated
    predicted: int = 0  # candidates
    chosen: list[Setting] = field(default_factory=list)  # evaluated on the selection text
    study: Evaluations = field(init=False)  # of these
    request: BestRequest = field(init=False)  # as asked, every role with its documents
    costs: dict[str, float] = field(init=False)  # FLOP of every stage at most
    profile: Profile = field(init=False)
    account: Account = field(init=False)  # of all stages as one run
    ahead: float = field(init=False)  # FLOP of stages to come, at most

    def run(self) -> Entry:
        """Answer the request and save the view over its stages.

        Raises:
            UserError: a text is too short for its role, a profile of another model or without response curves, a loss
                that no target keeps within, or a model that cannot be pruned.
            Cancelled: the report function said so; finished stages and pieces stay.
        """
        self.request = with_documents(self.asked)
        texts = texts_of(self.request, self.loaded)
        self.costs = search_plan.planned(self.request, self.shape)
        self.account = Account(self.report)
        self.ahead = sum(self.costs.values())
        self.costs["selection"] /= search_plan.most(self.request)  # of one setting
        self.profile = self._profile(texts)
        selection = self._select()
        winner, runner_up = candidates.choose(selection, self.request.max_loss)
        better = self._repaired(winner)
        fallback = candidates.fallback(winner, selection, self.request.max_loss)
        judged = filter(None, (winner, runner_up, fallback if fallback != winner.uniform else None, *better))
        asked = search_plan.final_request(self.request, self.profile.entry.key, judged)
        final = evaluations.load(self.store, self._run("final", asked))
        spec = BestSpec(
            model=self.loaded.spec,
            profile=self.profile.spec,
            max_loss=self.request.max_loss,
            selection=selection.spec,
            final=final.spec,
            winner=winner,
            runner_up=runner_up,
            better=better,
        )
        files = list(dict.fromkeys([path for each in texts.values() for path in each.files]))
        self.store.remember(self.asked, spec, [*self.loaded.source.watched, *files])
        told = provenance(self.loaded, files, self.store, self.loaded.model.device) | {
            "text": texts["final"].label,
            "texts": {role: each.label for role, each in texts.items()},
            "request": json.loads(relative(self.request.model_dump_json())),
            "profile": self.profile.entry.key,
            "selection": selection.spec.key,
            "final": final.spec.key,
            "left_out": list(dict.fromkeys(self.left_out)),
            "predicted": self.predicted,
            "forecasts": self.forecasts,
        }
        return self.store.entry(self.store.save(spec, None, told))

    def _profile(self, texts: dict[str, Windows]) -> Profile:
        key = self.request.profile or self._run("profile", search_plan.profile_request(self.request)).key
        found = profile_of(key, self.loaded.source, self.store)
        for role in ("selection", "final"):
            if found.spec.text.content == texts[role].spec.content or _reads(found, getattr(self.request, role)):
                raise UserError(
                    f"profile {found.entry.key} has read the {role} text: name a profile of another text, or none"
                )
        return found

    # -- on the text that selects -----------------------------------------------------------------------------------

    def _select(self) -> Evaluations:
        """Settings on the selection text, one by one: the next is chosen by what the others cost."""
        if self.request.target:
            self._best_at(self.request.target)
        else:
            self._best_at(self._sparsest())
            self._sparser()
        self.ahead = self.costs["repair"] + self.costs["final"]
        return self.study

    def _best_at(self, target: float) -> None:
        """Uniform and response, then what may be better than the best so far, the best predicted first."""
        pruner, tried = self.request.pruner, set()
        self._evaluate(*shortlist.usual(self.profile, pruner, target))
        pool = shortlist.candidates(self.profile, pruner, target)
        self.predicted += len(pool.allocations)
        self.left_out += pool.left_out
        while len([each for each in self.chosen if each.allocation.target == target]) < shortlist.MOST:
            asked = pool.best(self.study, Treatment(pruner), tried)
            if asked is None:
                return
            tried.add(asked.base.title)
            self._evaluate(asked)

    def _sparsest(self) -> float:
        """The largest target at which response, or an anchor, keeps within the loss.

        It is predicted from the default anchors, in steps of 1 %, tried, and predicted again from what that cost.
        """
        pruner, rise, low, high = self.request.pruner, self.request.max_loss, 0.0, 1.0
        *even, response = (each.allocation for each in usual(self.profile, Treatment(pruner)))
        self._evaluate(*even, response)
        for _ in range(search_plan.TRIES):
            asked = self._anchors().sparsest(response, rise)
            target = min(asked.target, round(high - STEP, 2))
            if target <= low:
                break
            [setting] = self._evaluate(asked.model_copy(update={"target": target}))
            fits = candidates.loss(self.study, setting) <= rise
            low, high = (target, high) if fits else (low, target)
        return candidates.choose(self.study, rise)[0].allocation.target

    def _sparser(self) -> None:
        """The winner, and uniform, at the largest target at which each is predicted to keep within the loss."""
        winner, _ = candidates.choose(self.study, self.request.max_loss)
        for asked in (winner.allocation, winner.uniform.allocation):
            sparsest = self._anchors().sparsest(asked, self.request.max_loss)
            if asked != winner.allocation or sparsest.target > asked.target:
                self._evaluate(sparsest)

    def _anchors(self) -> Anchors:
        return fitting(self.study, self.profile, Treatment(self.request.pruner))

    def _evaluate(self, *asked: AllocationRequest) -> tuple[Setting, ...]:
        """Predict allocations, then evaluate them on the selection text beside what was evaluated there before."""
        kept, notes = candidates.possible(asked, linear_parameters(self.profile), self.profile)
        self.left_out += notes
        settings = candidates.combined(kept, self.request.pruner, self.request.seeds[:1])
        new = [each for each in settings if each not in self.chosen]
        for each in new if self.chosen else ():
            with suppress(UserError):  # too little is known
                forecast = self._anchors().one(allocate(each.allocation, self.profile).exact)
                if math.isfinite(forecast.high):
                    self.forecasts[write(each.allocation)] = forecast
        self.chosen += new
        self.study = self._study("selection", self.chosen, len(new))
        return settings

    def _repaired(self, winner: Setting) -> tuple[Setting, ...]:
        """The winner repaired, if that lowers the loss on the selection text; else nothing."""
        if self.request.repair == NO_REPAIR:
            return ()
        repaired = winner.model_copy(update={"repair": self.request.repair})
        study = self._study("repair", (winner, repaired))
        if study.single(repaired).loss < study.single(winner).loss:
            return (repaired,)
        self.left_out.append("The repair does not lower the loss on the text that selects: it is left out.")
        return ()

    def _study(self, name: str, settings: Iterable[Setting], new: int = 1) -> Evaluations:
        """Settings evaluated on the selection text, so many of them for the first time."""
        asked = search_plan.selection_request(self.request, self.profile.entry.key, tuple(settings))
        return evaluations.load(self.store, self._run(name, asked, new))

    def _run(self, name: str, asked: Request, times: int = 1) -> Entry:
        """Answer a request as a part of the whole run, which takes so many times its cost at most."""
        most, account, saved = self.costs[name] * times, self.account, self.account.parts
        self.ahead -= most

        def tell(progress: Progress) -> None:
            account.planned = account.done + (progress.total * 1e6 or most) + self.ahead
            account.parts = saved + progress.parts
            account.say(f"{name}: {progress.line}", progress.layer, progress.done * 1e6)

        entry = self.stage(asked, tell)
        account.done = account.highest
        return entry


def _reads(profile: Profile, text: WindowRequest) -> bool:
    """True where a profile says that it was drawn from documents of a text."""
    told = profile.provenance
    return told.get("text_source") == relative(text.source) and text_splits.overlap(
        told.get("documents"), text.documents
    )


# --- at the door ---------------------------------------------------------------------------------------------------


def with_documents(asked: BestRequest) -> BestRequest:
    """The request with documents of its own for every role."""
    return text_splits.split(asked, lambda source: len(read(source).documents))


def texts_of(request: BestRequest, reader: Loaded | Reader) -> dict[str, Windows]:
    """The windows of every role.

    Raises:
        UserError: a text is too short for its role, or two roles read the same documents.
    """
    found: dict[str, Windows] = {}
    for role, asked in text_splits.texts(request).items():
        try:
            text = windows(asked, reader)
        except UserError as reason:
            raise UserError(f"the {role} text: {reason}") from reason
        first = next((name for name, each in found.items() if each.spec.content == text.spec.content), None)
        if first:
            raise UserError(f"the {first} and the {role} text are the same: nothing may be chosen on its judge")
        found[role] = text
    return found
