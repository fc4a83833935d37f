"""From a request for the best setting to its answer: profile, search, selection, final comparison. All resumable."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from core.ask import grammar
from core.ask.allocations import AllocationRequest
from core.ask.inputs import WindowRequest
from core.ask.requests import BestRequest, BestSpec
from core.ask.settings import Setting
from core.base.errors import UserError
from core.base.formats import per_cent
from core.evaluate.resolving import profile_of
from core.kinds.treatments import NO_REPAIR
from core.models import anatomy
from core.models.loading import Loaded, Reader
from core.models.outline import Outline
from core.models.progress import Account, Progress, Report
from core.models.provenance import provenance, relative
from core.models.windows import Windows, read, windows
from core.results import candidates, evaluations, search_plan, text_splits
from core.results.candidates import GRIDS, TARGETS
from core.results.evaluations import Evaluations
from core.store.cache import Entry, Request, Store
from core.store.profiles import Profile
from core.store.results import Array

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
    trials: list[dict] = field(default_factory=list)
    request: BestRequest = field(init=False)  # as asked, every role with its documents
    parameters: Array = field(init=False)  # (layers, linears) prunable weights
    costs: dict[str, float] = field(init=False)  # FLOP of every stage at most
    profile: Profile = field(init=False)
    account: Account = field(init=False)  # of all stages as one run
    ahead: float = field(init=False)  # FLOP of stages to come, at most

    def run(self) -> Entry:
        """Answer the request and save the view over its stages.

        Raises:
            UserError: a text is too short for its role, a profile of another model, a loss that no target keeps
                within, or a model that cannot be pruned.
            Cancelled: the report function said so; finished stages and pieces stay.
        """
        self.request = with_documents(self.asked)
        texts = texts_of(self.request, self.loaded)
        self.parameters = anatomy.parameters(self.loaded.layers)
        self.costs = search_plan.planned(self.request, self.shape)
        tries = search_plan.trials(self.request)
        self.account = Account(self.report)
        self.ahead = sum(self.costs.values()) + (tries - 1) * self.costs["search"]
        self.profile = self._profile(texts)
        selection = self._select(self.request.target or self._largest_target())
        winner, runner_up = candidates.choose(selection)
        better = self._repaired(winner)
        fallback = candidates.fallback(winner, self.trials, self.request.max_loss)
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
            "left_out": self.left_out,
            "trials": self.trials,
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

    def _largest_target(self) -> float:
        """The largest target whose winner keeps within the loss on the selection text."""
        target = candidates.largest(TARGETS, self._fits)
        self.ahead = sum(self.costs.values()) - self.costs["profile"] - self.costs["search"]
        if target:
            return target
        if not self.trials:
            raise UserError(
                f"every candidate by {self.request.pruner} broke the model, at {per_cent(min(TARGETS))} too"
            )
        least = min(self.trials, key=lambda each: each["target"])
        raise UserError(
            f"even {per_cent(least['target'])} sparsity by {self.request.pruner} raises the perplexity by "
            f"{per_cent(least['loss'])}: allow more than {per_cent(self.request.max_loss)}"
        )

    def _fits(self, target: float) -> bool:
        """Try a target; what it costs is noted, unless every candidate breaks the model there."""
        found = self._study(per_cent(target), self._candidates("quick", target), "search")
        try:
            winner, _ = candidates.choose(found)
        except UserError:
            return False
        lost, even = (candidates.loss(found, each) for each in (winner, winner.uniform))
        known = {"loss": lost, "uniform": even if math.isfinite(even) else None}  # uniform may have broken the model
        self.trials.append({"target": target, "allocation": grammar.words(winner.allocation)} | known)
        return lost <= self.request.max_loss

    def _select(self, target: float) -> Evaluations:
        """All candidates on the selection text; then, if the grid says so, the corrections of the best base too."""
        grid = GRIDS[self.request.effort]
        self.left_out.clear()  # what the search left out belongs to other targets
        asked = self._candidates(self.request.effort, target)
        found = self._study("selection", asked)
        if not grid.corrects_best:
            return found
        more = self._possible(candidates.corrections(candidates.best_base(found).allocation, grid))
        return self._study("corrections", dict.fromkeys([*asked, *more]))

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

    def _candidates(self, effort: str, target: float) -> tuple[Setting, ...]:
        pruner, layers = self.request.pruner, len(self.loaded.layers)
        return self._possible(candidates.candidates(GRIDS[effort], pruner, target, layers))

    def _possible(self, asked: Iterable[AllocationRequest]) -> tuple[Setting, ...]:
        kept, notes = candidates.possible(asked, self.parameters, self.profile)
        self.left_out += [note for note in notes if note not in self.left_out]
        return candidates.combined(kept, self.request.pruner, self.request.seeds[:1])

    def _study(self, name: str, settings: Iterable[Setting], stage: str | None = None) -> Evaluations:
        """Settings evaluated on the selection text."""
        asked = search_plan.selection_request(self.request, self.profile.entry.key, tuple(settings))
        return evaluations.load(self.store, self._run(name, asked, stage))

    def _run(self, name: str, asked: Request, stage: str | None = None) -> Entry:
        """Answer a request as a part of the whole run; `stage` says what it costs where its name does not."""
        most, account, saved = self.costs[stage or name], self.account, self.account.parts
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
